"""Stage `train`: shards to a trained model in the run folder."""

from __future__ import annotations

from app.methods.method import method_of
from app.methods.recipe import follow
from app.session import Session


def run(session: Session) -> None:
    """Train, resume, or find that there is nothing left to do."""
    follow(session)
    method_of(session.experiment).train(session)
