"""Prepared data: from sources to a folder of shards, and the folder as fields."""

from app.data.shards.prepared import Shards

__all__ = ["Shards"]
