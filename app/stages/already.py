"""What is there already: the file of a prediction, and the data of the run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from absl import logging

from app.config import Experiment
from app.errors import InputError
from app.inference.writer import written_with
from app.run_files import PREDICTION, is_prediction, refined_name
from app.session import Session

OWN_NAMES = (PREDICTION, refined_name(PREDICTION))  # which may be damaged, and are made again


def settled(
    experiment: Experiment, path: Path, attributes: Mapping[str, str], complete: bool = True
) -> bool:
    """Whether this very prediction is there; InputError where a file is that must stay.

    complete: whether the attributes alone say what the file is. A file that this program has not
    written stays in a run folder; one elsewhere stays unless --overwrite is given.
    """
    if complete and written_with(path, attributes):
        logging.info("%s: already predicted with this model", path)
        return True
    if not path.exists():
        return False
    if path != experiment.prediction or experiment.inference.output is None:
        if not is_prediction(path) and not (path.name in OWN_NAMES and _damaged(path)):
            raise InputError(
                f"{path}: not written by this program; expected it elsewhere, or another "
                "--inference_save_fname"
            )
    elif not experiment.overwrite:
        raise InputError(
            f"--output={experiment.inference.output}: is there already, from another model or "
            "other data; --overwrite replaces it"
        )
    return False


def refuse_changed_data(session: Session, stage: str) -> None:
    """InputError where a run's own model meets other data than it was trained on.

    With --accept_changed_data they are written down in the run folder instead.
    """
    experiment, inference = session.experiment, session.experiment.inference
    others = inference.model or inference.ensemble or inference.input
    if others or experiment.data is None or session.for_test is not session:
        return
    from app.run_data import check_same_data, note_accepted

    same = check_same_data(session.folder, session.shards, experiment.accept_changed_data)
    if not same and session.ranks.first:
        note_accepted(session.folder, session.shards, stage)


def _damaged(path: Path) -> bool:
    """Whether a file cannot be read as NetCDF."""
    import netCDF4

    try:
        netCDF4.Dataset(path).close()
    except (OSError, RuntimeError):
        return True
    return False
