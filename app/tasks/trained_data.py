"""The training period behind a model of another run, when its prediction is scored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from app import options
from app.errors import InputError
from app.integrity import NEVER
from app.integrity.records import Damaged, read_record
from app.running.run_folder import RunFolder

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.session import Session


def with_training(session: Session, shards: Shards) -> Shards:
    """Data of a test period alone, with the training period of the model's run if it is there.

    Without it the baselines that are fitted are left out, and a line says so.
    """
    if "train" in shards.splits or shards.splits != ("test",):
        return shards
    reason = "the data have no training period, and no --model=RUN to take it from"
    inference = session.experiment.inference
    model = inference.model or next(iter(inference.ensemble), None)
    if model is not None:
        try:
            experiment = session.experiment
            trained = _of_run(Path(model).expanduser(), experiment.cache_dir, experiment.verify)
            whole = shards.with_training(trained)
            logging.info("baselines are fitted to the training period of %s", model)
            return whole
        except Damaged:
            raise
        except InputError as error:
            reason = str(error)
    logging.warning("baselines that are fitted to a training period are left out: %s", reason)
    return shards


def warn_of_trained_times(session: Session, shards: Shards) -> None:
    """Say how many times of the test period another run's model was trained on."""
    inference = session.experiment.inference
    for model in inference.ensemble or filter(None, [inference.model]):
        try:
            trained = _of_run(Path(model).expanduser(), session.experiment.cache_dir)
        except InputError:
            continue  # its training data are gone, or were never known
        if not (shards.has_times and trained.has_times and "train" in trained.splits):
            continue
        known, tested = trained.stamps("train"), shards.stamps("test")
        shared = np.flatnonzero(np.isin(tested.seconds, known.seconds))
        if len(shared) and known.calendar == tested.calendar:
            logging.warning(
                "%d of the %d times scored, the first %s, are in the training period of %s: "
                "scores of a new record would be worse",
                len(shared),
                len(tested),
                tested.text(int(shared[0])),
                model,
            )


def _of_run(run: Path, cache: Path, verify: str = NEVER) -> Shards:
    """The prepared data that a run was trained on; InputError where they are gone."""
    from app.data.shards import Shards

    folder = run if run.is_dir() else run.parent
    facts = read_record(RunFolder(folder).provenance, dict)
    if facts is None or "data_fingerprint" not in facts:
        raise InputError(f"--model={run}: no run folder that tells its training data")
    name = str(facts["data_fingerprint"])
    trained_with = options.kept_values(RunFolder(folder).experiment)
    for place in (cache, Path(trained_with["cache_dir"])):
        if (place.expanduser() / name).is_dir():
            return Shards.open(place.expanduser() / name, verify)
    raise InputError(f"--cache_dir={cache}: the training data of {run} are no longer there")
