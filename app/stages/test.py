"""Stage `test`: a trained model, or several, to predicted fields."""

from __future__ import annotations

import time
from pathlib import Path

from app.inference.load import trained_models
from app.running.changed_data import refuse_changed_data
from app.running.status import peak_memory_mib
from app.session import Session
from app.tasks import task_of_run
from app.tasks.task import keep_card


def run(session: Session) -> None:
    """Predict the test period, or the files under --input."""
    refuse_changed_data(session, "test")
    session = session.for_test
    experiment = session.experiment
    models = trained_models(experiment)
    path = experiment.prediction
    before, began = _written(path), time.monotonic()
    with session.guard.interruption.deferred():
        task_of_run(experiment, models[0]).predict(session, models, path)
    if _written(path) != before:
        seconds = round(time.monotonic() - began, 1)
        session.guard.status.update(inference_s=seconds, inference_memory_mib=peak_memory_mib())
    keep_card(session)


def _written(path: Path) -> int | None:
    """When a file was last written, in nanoseconds; None where there is none."""
    return path.stat().st_mtime_ns if path.exists() else None
