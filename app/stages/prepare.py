"""Stage `prepare`: sources to shards."""

from __future__ import annotations

from absl import logging

from app.session import Session


def run(session: Session) -> None:
    """Make the shards, or find them whole, and say what they hold."""
    shards = session.shards
    logging.info("%s: %s", shards.folder, shards.geometry.describe())
    for split in shards.splits:
        logging.info(
            "  %-10s %6d times, %s", split, shards.size(split), shards.stamps(split).span()
        )
    shards.confirm()
