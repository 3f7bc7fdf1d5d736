"""Stage `metrics`: scores of the prediction beside the baselines, as tables and figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from absl import logging

from app.data.shards.identity import identity_digest
from app.errors import InputError
from app.inference.already import refuse_damaged, refuse_stale
from app.inference.load import trained_models
from app.running.changed_data import refuse_changed_data
from app.running.run_folder import model_file
from app.session import Session
from app.tasks import task_named
from app.tasks.task import Evaluation, figure_format, keep_card, scores_folder

if TYPE_CHECKING:
    from app.data.description import ScoredFiles


def run(session: Session) -> None:
    """Score y_hat.nc against the truth of the test period, or files against others.

    The ranks share the work; those that come and go leave it to the first.
    """
    if session.ranks.elastic and not session.ranks.first:
        return
    if session.experiment.scored is not None:
        evaluation = _score_files(session, session.experiment.scored)
    else:
        evaluation = _score_run(session)
    if evaluation is not None:
        print(evaluation.text(everything=session.experiment.flags["all_scores"]))
        logging.info("tables and figures: %s", session.folder.metrics)


def _score_run(session: Session) -> Evaluation | None:
    """Score the prediction of a run; None on all ranks but the first."""
    refuse_changed_data(session, "metrics")
    session = session.for_test
    folder = session.folder
    path = session.experiment.prediction
    if not path.is_file():
        raise InputError(
            f"--save_path={folder.path}: no prediction at {path}; run the stage test first"
        )
    shards = session.shards
    if session.ranks.first:
        refuse_damaged(path, session.experiment.verify)
        refuse_stale(path, _models(session), identity_digest(shards))
    evaluation = task_named(shards.task).score(session, shards, path)
    keep_card(session)
    return evaluation


def _score_files(session: Session, asked: ScoredFiles) -> Evaluation | None:
    """Score files that no run has to have made; None on all ranks but the first."""
    folder = session.folder
    if folder.experiment.is_file():
        raise InputError(
            f"--save_path={folder.path}: a run with scores of its own; expected another folder for "
            "those of --prediction"
        )
    from app.metrics.evaluate import evaluate_files
    from app.report.figures import draw_figures

    with scores_folder(session, lambda: None) as out:
        evaluation = evaluate_files(asked, out, session.experiment.scoring, session.exchange)
        if evaluation is not None:
            draw_figures(evaluation, out, figure_format(session))
        return evaluation


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
