"""Losses in encoded space, one value per sample; missing truth is left out."""

from app.losses.build import build_loss
from app.losses.masked import valid_fraction

__all__ = ["build_loss", "valid_fraction"]
