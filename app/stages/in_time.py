"""Stage `test` in time: known frames to the whole record on the new time axis."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from absl import logging

from app.data.description import TimeSteps
from app.data.known_frames import duration_text
from app.data.shards.fingerprint import fingerprint_of_files
from app.data.shards.identity import identity_digest
from app.data.times import duration
from app.errors import InputError
from app.options import Experiment, time_steps
from app.stages.already import DATA_DIGEST, settled

if TYPE_CHECKING:
    import numpy as np

    from app.models.temporal import TemporalSpec
    from app.session import Session

SPLIT = "test"


def predict_in_time(
    session: Session,
    model_path: Path,
    path: Path,
    attributes: dict[str, str],
    files: tuple[str, ...] = (),
) -> None:
    """Fill in the test period's known frames, or those of files, and write `path`."""
    communicator = session.communicator

    from app.inference import in_time
    from app.models.temporal import TemporalModel

    model = TemporalModel.load(model_path)
    steps = _steps_of(session.experiment, model.spec)
    times = session.experiment.inference.target_times
    inference = session.experiment.inference
    uncovered, names = inference.uncovered, dict(inference.input_variables)
    if files != inference.input:
        names = {}  # of a file of our own
    wanted = ", ".join(times) or f"every {steps.target_step} s"
    identity = attributes | {"steps": f"{steps.input_step} s to {wanted}"}
    identity["data_fingerprint"] = (
        fingerprint_of_files(files, uncovered=uncovered, names=names)
        if files
        else session.shards.fingerprint
    )
    if not files:
        identity[DATA_DIGEST] = identity_digest(session.shards)
        in_time.check_fits(model.spec, session.shards, model_path)
    if settled(session.experiment, path, identity):
        return
    record = (
        in_time.of_files(model.spec, files, steps, times, uncovered, names)
        if files
        else in_time.of_split(session.shards, SPLIT, steps, times)
    )
    in_time.fill_in(
        model,
        record,
        path,
        identity,
        communicator=communicator,
        batch_size=session.experiment.sampling.batch_size,
        check=session.guard.look,
        confirm=_nothing_to_confirm if files else session.shards.confirm,
    )


def _nothing_to_confirm() -> None:
    """Files of the user's own have no checksums."""


def _steps_of(experiment: Experiment, spec: TemporalSpec) -> TimeSteps:
    """The steps of the flags; without --input_step known frames are as far apart as in training."""
    asked = experiment.inference
    known = asked.input_step or duration_text(spec.step)
    if asked.target_times:
        step = duration(known, "--input_step")
        steps = TimeSteps(step, step)
    elif asked.target_step is None:
        raise InputError("--target_step: expected the wanted time step, such as --target_step=1h")
    else:
        steps = time_steps(replace(asked, input_step=known))
    if steps.input_step != spec.step:
        logging.warning(
            "--input_step=%s: the model was trained on known frames %s apart",
            known,
            duration_text(spec.step),
        )
    return replace(steps, gaps=asked.gap_policy)


def known_rows(session: Session, in_time: Path) -> np.ndarray:
    """Which times of the test period are the known frames of the model in time."""
    session.communicator.barrier()  # TensorFlow starts as the run wants it

    from app.data.known_frames import known_frames
    from app.models.temporal import TemporalModel

    spec = TemporalModel.load(in_time).spec
    if spec.summed:
        raise InputError(
            f"--temporal_model={in_time}: parts amounts over time, which are no frames to be "
            "refined; expected a model of instantaneous fields, or totals under --input"
        )
    steps = _steps_of(session.experiment, spec)
    return known_frames(session.shards.stamps(SPLIT), steps, False, SPLIT).rows[:, 0]
