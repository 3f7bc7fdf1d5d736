"""Downscaling in time: known frames to the whole record on a finer time axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from app.arrays import Array
from app.data.description import TimeSteps
from app.data.shards.fingerprint import fingerprint_of_files
from app.data.shards.identity import identity_digest
from app.data.times import duration
from app.durations import duration_text
from app.errors import InputError
from app.inference.already import DATA_DIGEST, settled
from app.options import Experiment, time_steps
from app.tasks.task import TEST, Task, attributes, figure_format

if TYPE_CHECKING:
    import xarray as xr

    from app.data.description import DataDescription
    from app.data.shards import Shards
    from app.data.shards.plan import Plan
    from app.metrics.time_evaluation import TimeEvaluation
    from app.models.temporal import TemporalSpec
    from app.report.record import Record
    from app.session import Session


class TimeTask(Task):
    """Frames known at a coarse step to frames of a finer one, on one grid."""

    takes_instants = True

    def plan(self, description: DataDescription, scale: int, halo: int) -> Plan:
        from app.data.shards.time_plan import plan_in_time

        return plan_in_time(description, _steps(description))

    def predict(self, session: Session, models: Sequence[Path], path: Path) -> None:
        told = attributes(models, session)
        fill_in(session, models[0], path, told, session.experiment.inference.input)

    def evaluate(
        self, session: Session, shards: Shards, path: Path, out: Path
    ) -> TimeEvaluation | None:
        from app.metrics.time_evaluation import evaluate_in_time
        from app.report.animation import draw_time_figures

        steps, scoring = _steps(session.description), session.experiment.scoring
        evaluation = evaluate_in_time(shards, path, out, steps, scoring, session.exchange)
        if evaluation is not None:
            draw_time_figures(evaluation, out, figure_format(session))
        return evaluation

    def sample(self, shards: Shards) -> xr.Dataset:
        from app.tasks.sample import sample_fields

        return sample_fields(shards, ("hr", "predictors"), shards.geometry.fine)

    def record(self, session: Session, shards: Shards, path: Path) -> Record:
        from app.baselines.time import baseline
        from app.metrics.ground import Ground
        from app.metrics.time_evaluation import TimeContest
        from app.report.record import PREDICTION, TRUTH, Record

        contest = TimeContest(shards, path, _steps(session.description))

        def read(rows: Array) -> dict[str, Array]:
            whole = np.flatnonzero(np.isin(contest.axis.unit, contest.axis.unit[rows]))
            line = baseline("linear", contest.axis.take(whole), contest.read, contest.known)
            return {
                TRUTH: contest.truth(rows),
                "linear in time": line[np.searchsorted(whole, rows)],
                PREDICTION: contest.prediction.read(rows),
            }

        return Record(
            contest.variables,
            contest.grid,
            contest.axis.stamps,
            read,
            scored=contest.scored,
            ground=Ground.of(shards.variables.get("static", ()), shards.static),
        )


def _steps(description: DataDescription) -> TimeSteps:
    if description.time_steps is None:
        raise ValueError("the data are not described for downscaling in time")
    return description.time_steps


def fill_in(
    session: Session,
    model_path: Path,
    path: Path,
    told: dict[str, str],
    files: tuple[str, ...] = (),
) -> None:
    """Fill in the test period's known frames, or those of files, and write `path`.

    told: attributes of the file.
    """
    communicator = session.communicator  # TensorFlow is started before anything imports it

    from app.inference.known_frames import FilledIn, of_files, of_split
    from app.inference.load import check_fits
    from app.inference.predict import write_record
    from app.inference.writer import Layout
    from app.models.temporal import TemporalModel

    experiment, inference = session.experiment, session.experiment.inference
    model = session.models.load(TemporalModel, model_path)
    steps, times = steps_of(experiment, model.spec), inference.target_times
    wanted = ", ".join(times) or f"every {steps.target_step} s"
    told = told | {"steps": f"{steps.input_step} s to {wanted}"}
    uncovered = inference.uncovered
    names = dict(inference.input_variables) if files == inference.input else {}
    if files:
        told["data_fingerprint"] = fingerprint_of_files(files, uncovered=uncovered, names=names)
    else:
        told["data_fingerprint"] = session.shards.fingerprint
        told[DATA_DIGEST] = identity_digest(session.shards)
        check_fits(model.spec, session.shards, model_path)
    if settled(experiment, path, told):
        return
    if files:
        record = of_files(model.spec, files, steps, times, uncovered, names)
    else:
        record = of_split(session.shards, TEST, steps, times)
    write_record(
        FilledIn(model, record, experiment.sampling.batch_size),
        Layout(record.grid, record.variables, told),
        path,
        communicator=communicator,
        check=session.guard.look,
        confirm=None if files else session.shards.confirm,
    )


def steps_of(experiment: Experiment, spec: TemporalSpec) -> TimeSteps:
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


def known_rows(session: Session, in_time: Path) -> Array:
    """Which times of the test period are the known frames of the model in time."""
    session.communicator.barrier()  # TensorFlow starts as the run wants it

    from app.data.known_frames import known_frames
    from app.models.temporal import TemporalModel

    spec = session.models.load(TemporalModel, in_time).spec
    if spec.summed:
        raise InputError(
            f"--temporal_model={in_time}: parts amounts over time, which are no frames to be "
            "refined; expected a model of instantaneous fields, or totals under --input"
        )
    steps = steps_of(session.experiment, spec)
    return known_frames(session.shards.stamps(TEST), steps, False, TEST).rows[:, 0]
