"""Downscaling in space: coarse fields to fine ones at the same times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from app.arrays import Array, Json
from app.data.shards.fingerprint import fingerprint_of_files
from app.data.shards.identity import identity_digest
from app.data.times import Stamps, modal_step, segments
from app.errors import InputError
from app.grids import Geometry
from app.inference.already import DATA_DIGEST, settled
from app.inference.load import check_fits, distribution_levels, drawing_of, load_models
from app.inference.writer import Layout
from app.tasks.task import TEST, Task, attributes, figure_format

if TYPE_CHECKING:
    import xarray as xr

    from app.baselines.base import Baseline
    from app.data.description import DataDescription, Variable
    from app.data.shards import Shards
    from app.data.shards.plan import Plan
    from app.grids import Grid
    from app.inference.windows import Windows
    from app.metrics.evaluate import Evaluation
    from app.models import ModelSpec
    from app.report.record import Record
    from app.session import Session


class SpaceTask(Task):
    """Coarse fields, and what else is known on either grid, to fine fields of the same times."""

    takes_instants = False

    def plan(self, description: DataDescription, scale: int, halo: int) -> Plan:
        from app.data.shards.plan import plan_of

        return plan_of(description, scale, halo)

    def predict(self, session: Session, models: Sequence[Path], path: Path) -> None:
        for name in ("target_step", "target_times"):
            given = session.experiment.flags[name]
            if given:
                raise InputError(
                    f"--{name}={given}: {models[0]} is no model in time; expected one, or "
                    "--temporal_model"
                )
        self.refine(session, models, path)

    def refine(
        self,
        session: Session,
        models: Sequence[Path],
        path: Path,
        known: Array | None = None,
    ) -> None:
        """Predict the files under --input, or the test period: those rows that are `known`."""
        if session.experiment.inference.input:
            _predict_input(session, models, path)
        else:
            _predict_test_period(session, models, path, known)

    def scored_data(self, session: Session, shards: Shards) -> Shards:
        from app.tasks.trained_data import warn_of_trained_times, with_training

        warn_of_trained_times(session, shards)
        return with_training(session, shards)

    def evaluate(
        self, session: Session, shards: Shards, path: Path, out: Path
    ) -> Evaluation | None:
        from app.data.wet import summed_over
        from app.metrics.evaluate import evaluate
        from app.report.figures import draw_figures

        source, module = session.description.predictand, session.module
        evaluation = evaluate(
            shards,
            path,
            out,
            undo=module.undo if module else None,
            accumulation=summed_over(source.aggregate if source else None),
            base=_base(session, shards),
            scoring=session.experiment.scoring,
            exchange=session.exchange,
        )
        if evaluation is not None:
            draw_figures(evaluation, out, figure_format(session))
        return evaluation

    def sample(self, shards: Shards) -> xr.Dataset:
        from app.tasks.sample import sample_fields

        return sample_fields(shards, ("lr", "predictors"), shards.geometry.coarse)

    def record(self, session: Session, shards: Shards, path: Path) -> Record:
        from app.metrics.prediction import DatasetPrediction
        from app.report.record import record_of

        times = shards.times(TEST)
        prediction = DatasetPrediction(path, shards.predictands, shards.geometry.fine, times)
        # the low resolution of a data module is scaled
        return record_of(shards, prediction, with_coarse=session.module is None)


def _base(session: Session, shards: Shards) -> Callable[[], Baseline] | None:
    """Makes the regression that the run's network corrects; None where it corrects none."""
    from app.baselines.base_prediction import BasePrediction
    from app.data.times import time_channels

    model = session.experiment.model
    if model.first_guess != "regression" or "train" not in shards.splits:
        return None
    return lambda: BasePrediction(shards, time_channels(model.time_features), model.constraint)


def _predict_test_period(
    session: Session, paths: Sequence[Path], path: Path, known: Array | None = None
) -> None:
    """Predict the times of the test period, or those rows of it that are `known`."""
    shards, module = session.shards, session.module
    told = attributes(paths, session) | {
        "data_fingerprint": shards.fingerprint,
        DATA_DIGEST: identity_digest(shards),
    }
    communicator = session.communicator
    if settled(session.experiment, path, told, complete=known is None):
        return

    from app.baselines.base import coarse_inputs
    from app.inference.gaps import Gaps
    from app.inference.predict import CoarseRecord, write_record

    model, spec = load_models(paths, session.experiment.inference, session.models)
    check_fits(spec, shards, paths[0])
    rows = np.arange(shards.size(TEST)) if known is None else known
    record = CoarseRecord(
        model,
        lambda indices: coarse_inputs(shards, rows[indices], TEST),
        shards.stamps(TEST).take(rows),
        **_drawing(session, spec),
        has_times=shards.has_times,
        undo=module.undo if module else None,
        windows=_windows(session, spec, shards.segments(TEST)),
        observed=_observed(session, spec, shards.stamps(TEST), shards.predictands),
        gaps=Gaps.of(spec),
    )
    write_record(
        record,
        _layout(session, spec, shards.geometry.fine, shards.predictands, told),
        path,
        communicator=communicator,
        check=session.guard.look,
        confirm=shards.confirm,
    )


def _predict_input(session: Session, paths: Sequence[Path], path: Path) -> None:
    communicator = session.communicator

    from app.inference.correction import InputClimate, corrected
    from app.inference.external import open_input
    from app.inference.gaps import Gaps
    from app.inference.plausibility import compare_with_training
    from app.inference.predict import CoarseRecord, write_record

    inference = session.experiment.inference
    told = attributes(paths, session) | {
        "data_fingerprint": fingerprint_of_files(
            inference.input,
            inference.input_reference,
            correction=inference.input_correction,
            grid=inference.input_grid,
            uncovered=inference.uncovered,
            names=dict(inference.input_variables),
            static=fingerprint_of_files(*(source.files for source in inference.statics)),
        )
    }
    if settled(session.experiment, path, told):
        return
    model, spec = load_models(paths, inference, session.models)
    names = {n: v for n, v in inference.input_variables.items() if n not in spec.statics}
    data = open_input(spec, inference.input, inference.uncovered, names)
    if spec.time_window is not None:
        _warn_of_step(spec, modal_step(data.stamps.seconds))
    read = data.read
    if inference.input_correction != "none":
        past = inference.input_reference
        reference = (
            open_input(spec, past, inference.uncovered, names, "--input_reference")
            if past
            else None
        )
        climate = InputClimate(paths[0], [channel.name for channel in spec.inputs])
        read = corrected(inference.input_correction, data, reference, climate)
    gaps = Gaps.of(spec)
    if gaps is not None and session.ranks.first:
        compare_with_training(read, len(data.stamps), spec.inputs, gaps.known)
        data.forget_values()
    record = CoarseRecord(
        model,
        read,
        data.stamps,
        **_drawing(session, spec),
        windows=_windows(session, spec, segments(data.stamps.seconds)),
        observed=_observed(session, spec, data.stamps, data.variables),
        gaps=gaps,
    )
    layout = _layout(session, spec, data.fine, data.variables, told)
    write_record(record, layout, path, communicator=communicator, check=session.guard.look)
    data.log_values()


def _observed(
    session: Session, spec: ModelSpec, stamps: Stamps, variables: tuple[Variable, ...]
) -> Callable[[Array], Array] | None:
    """Reads the stations' values at given times; None where the model is not told them."""
    if not spec.observed:
        if session.experiment.model.observations is not None:
            raise InputError(
                "--observations: the model was trained without; expected one that was trained "
                "with --observations"
            )
        return None
    geometry = Geometry.from_dict(spec.geometry)
    stations = session.stations(geometry.fine, variables, stamps.calendar)
    if stations is None:
        logging.warning("the model was trained with --observations, and is told none now")
        return None
    return lambda seconds: geometry.pad_field(stations.fields(seconds), axes=(1, 2))


def _windows(session: Session, spec: ModelSpec, pieces: Array) -> Windows | None:
    """The windows in which a record of gapless pieces is predicted; None for spatial models.

    Members drawn by dropout are not blended: a mean over windows would average the draws away.
    """
    if spec.time_window is None:
        return None
    from app.inference.windows import Windows, log_short

    log_short(pieces, spec.time_window)
    blend = session.experiment.inference.members == 1
    return Windows.over(pieces, spec.time_window, bidirectional=spec.bidirectional, blend=blend)


def _warn_of_step(spec: ModelSpec, step: int) -> None:
    """Warn where frames are further apart than in training: motion between them differs."""
    trained = spec.domain.get("step")
    if trained and step and step != trained:
        logging.warning(
            "--input: the times are %d s apart, those that the model was trained on %d s",
            step,
            trained,
        )


def _layout(
    session: Session,
    spec: ModelSpec,
    grid: Grid,
    variables: tuple[Variable, ...],
    attributes: dict[str, str],
) -> Layout:
    inference = session.experiment.inference
    return Layout(
        grid,
        variables,
        attributes,
        members=inference.members * max(1, len(inference.ensemble)),
        write_members=inference.write_members,
        levels=spec.quantiles or distribution_levels(spec, inference),
        quantiles=inference.write_quantiles,
    )


def _drawing(session: Session, spec: ModelSpec) -> Json:
    """How fields are drawn, the same for every kind of input."""
    experiment = session.experiment
    return {
        "batch_size": experiment.sampling.batch_size,
        "seed": experiment.training.seed,
        "members": experiment.inference.members,
        "how": drawing_of(spec, experiment.inference, session.guard.look),
    }
