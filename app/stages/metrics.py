"""Stage `metrics`: scores of the prediction beside the baselines, as tables and figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from absl import logging

from app.errors import InputError
from app.session import Session

if TYPE_CHECKING:
    from app.data.description import TimeSteps
    from app.data.shards import Shards


def run(session: Session) -> None:
    """Score y_hat.nc against the truth of the test period; the first rank does the work."""
    session = session.for_test
    folder = session.folder
    path = folder.prediction(session.experiment.inference.inference_save_fname)
    if not path.is_file():
        raise InputError(
            f"--save_path={folder.path}: no prediction at {path}; run the stage test first"
        )
    shards, module = session.shards, session.module
    if not session.ranks.first:
        return
    if session.description.time_steps is not None:
        _score_in_time(session, shards, path, session.description.time_steps)
        return

    from app.data.wet import summed_over
    from app.metrics.evaluate import evaluate
    from app.report.figures import draw_figures

    source = session.description.predictand
    with folder.whole_files(folder.metrics) as out:
        evaluation = evaluate(
            shards,
            path,
            out,
            undo=module.undo if module else None,
            accumulation=summed_over(source.aggregate if source else None),
        )
        draw_figures(evaluation, out)
    print(evaluation)
    logging.info("tables and figures: %s", folder.metrics)


def _score_in_time(session: Session, shards: Shards, path: Path, steps: TimeSteps) -> None:
    """Score the times between known frames against what was withheld."""
    from app.metrics.in_time import evaluate_in_time
    from app.report.in_time import draw_time_figures

    folder = session.folder.metrics
    evaluation = evaluate_in_time(shards, path, folder, steps)
    draw_time_figures(evaluation, folder)
    print(evaluation)
    logging.info("tables and figures: %s", folder)
