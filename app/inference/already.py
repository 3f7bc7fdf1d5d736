"""The file of a prediction that is there already."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from absl import logging

from app.errors import InputError
from app.inference.writer import attributes_of, written_with
from app.integrity import NEVER, trailer
from app.options import Experiment
from app.running.run_files import PREDICTION, is_prediction, refined_name

DATA_DIGEST = "data_sha256"  # attribute
OWN_NAMES = (PREDICTION, refined_name(PREDICTION))  # which may be damaged, and are made again


def settled(
    experiment: Experiment, path: Path, attributes: Mapping[str, str], complete: bool = True
) -> bool:
    """Whether this very prediction is there; InputError where a file is that must stay.

    complete: whether the attributes alone say what the file is. A file that this program has not
    written stays in a run folder; one elsewhere stays unless --overwrite is given, and so does the
    prediction of the test period where files under --input are predicted, and the reverse.
    """
    _refuse_other_kind(experiment, path, attributes)
    same_data = attributes_of(path).get(DATA_DIGEST) == attributes.get(DATA_DIGEST)
    if complete and same_data and written_with(path, attributes, experiment.verify):
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


def _refuse_other_kind(experiment: Experiment, path: Path, attributes: Mapping[str, str]) -> None:
    """InputError where a forecast would take the place of the test period, or the reverse."""
    if experiment.overwrite or not path.exists() or not is_prediction(path):
        return
    told = attributes_of(path)
    there, wanted = DATA_DIGEST in told, DATA_DIGEST in attributes
    if told and there != wanted:
        kinds = {True: "the test period", False: "files under --input"}
        raise InputError(
            f"{path}: is there already, the prediction of {kinds[there]}; expected another "
            f"--save_path or --inference_save_fname for {kinds[wanted]}, or --overwrite"
        )


def refuse_damaged(path: Path, verify: str) -> None:
    """InputError where a prediction is not as it was written."""
    damage = None if verify == NEVER else trailer.damage(path)
    if damage is not None:
        raise InputError(
            f"{path}: damaged, or changed by another program since it was predicted: {damage}; "
            "the stage test predicts it again, --verify=never takes it as it is"
        )


def refuse_stale(path: Path, models: list[Path], data: str) -> None:
    """InputError where a prediction is not of these models, or of data that are others by now.

    data: the digest of the data that it is compared with.
    """
    told = attributes_of(path)
    own = hashes(models)
    if models and told.get("model_sha256", own) != own:
        raise InputError(
            f"{path}: predicted by another model than {', '.join(map(str, models))} as it is now; "
            "run the stage test again, which predicts anew"
        )
    if DATA_DIGEST not in told:
        raise InputError(
            f"{path}: no prediction of a test period, but of files under --input, which have no "
            "truth; run the stage test without --input"
        )
    if told[DATA_DIGEST] != data:
        raise InputError(
            f"{path}: predicted from other data than there are now; run the stage test again, "
            "which predicts anew"
        )


def hashes(models: Sequence[Path]) -> str:
    """sha256 of each model."""
    return " ".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in models)


def _damaged(path: Path) -> bool:
    """Whether a file cannot be read as NetCDF."""
    import netCDF4

    try:
        netCDF4.Dataset(path).close()
    except (OSError, RuntimeError):
        return True
    return False
