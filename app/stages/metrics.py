"""Stage `metrics`: scores of the prediction beside the baselines, as tables and figures."""

from __future__ import annotations

from pathlib import Path

from absl import logging

from app.data.shards.identity import identity_digest
from app.errors import InputError
from app.inference.already import refuse_damaged, refuse_stale
from app.inference.load import trained_models
from app.running.changed_data import refuse_changed_data
from app.running.run_folder import model_file
from app.session import Session
from app.tasks import task_named


def run(session: Session) -> None:
    """Score y_hat.nc against the truth of the test period; the first rank does the work."""
    refuse_changed_data(session, "metrics")
    session = session.for_test
    folder = session.folder
    path = session.experiment.prediction
    if not path.is_file():
        raise InputError(
            f"--save_path={folder.path}: no prediction at {path}; run the stage test first"
        )
    shards = session.shards
    if not session.ranks.first:
        return
    refuse_damaged(path, session.experiment.verify)
    refuse_stale(path, _models(session), identity_digest(shards))
    evaluation = task_named(shards.task).score(session, shards, path)
    print(evaluation.text(everything=session.experiment.flags["all_scores"]))
    logging.info("tables and figures: %s", folder.metrics)


def _models(session: Session) -> list[Path]:
    """The models that the prediction should come from; none where they are not known."""
    in_time = session.experiment.inference.temporal_model
    try:
        paths = trained_models(session.experiment)
        if in_time is not None:
            paths.append(model_file(Path(in_time).expanduser(), f"--temporal_model={in_time}"))
    except InputError:
        return []
    return paths
