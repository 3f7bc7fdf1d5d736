"""Stage `metrics`: scores of the prediction beside the baselines, as tables and figures."""

from __future__ import annotations

from absl import logging

from app.errors import InputError
from app.session import Session


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
