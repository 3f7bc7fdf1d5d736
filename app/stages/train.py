"""Stage `train`: shards to a trained model in the run folder."""

from __future__ import annotations

import time

from absl import logging

from app.methods.method import method_of
from app.methods.recipe_choice import follow
from app.running.status import peak_memory_mib
from app.session import Session


def run(session: Session) -> None:
    """Train, resume, or find that there is nothing left to do."""
    session.begun = time.monotonic()
    training, given = session.experiment.training, session.experiment.given or frozenset()
    if training.time_budget is not None and "epochs" in given:
        logging.warning("--time_budget decides how long training takes: --epochs does not count")
    follow(session, timed=True)
    method_of(session.experiment).train(session)
    status = session.guard.status
    if status.progressed:
        status.update(training_memory_mib=peak_memory_mib())
