"""Stage `test`: a trained model, or several, to predicted fields."""

from __future__ import annotations

from app.inference.load import trained_models
from app.running.changed_data import refuse_changed_data
from app.session import Session
from app.tasks import task_of_run


def run(session: Session) -> None:
    """Predict the test period, or the files under --input."""
    refuse_changed_data(session, "test")
    session = session.for_test
    experiment = session.experiment
    models = trained_models(experiment)
    with session.guard.interruption.deferred():
        task_of_run(experiment, models[0]).predict(session, models, experiment.prediction)
