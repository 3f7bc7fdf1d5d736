"""Stage `train`: shards to a trained model in the run folder."""

from __future__ import annotations

from app.session import Session


def run(session: Session) -> None:
    """Train, resume, or find that there is nothing left to do."""
    session.experiment.method.train(session)
