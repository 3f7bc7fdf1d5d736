"""Stage `test`: a trained model, or several, to predicted fields."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import logging

from app.data.shards.fingerprint import fingerprint_of_files
from app.data.shards.identity import identity_digest
from app.data.times import Stamps, modal_step, segments
from app.errors import InputError
from app.grids import Geometry
from app.inference.load import check_fits, distribution_levels, drawing_of, load_models
from app.inference.writer import Layout, history_line
from app.model_archive import saved_task
from app.running.changed_data import refuse_changed_data
from app.running.masking import command_line
from app.running.run_files import refined_name
from app.running.run_folder import model_file
from app.session import Session
from app.stages.already import DATA_DIGEST, hashes, settled
from app.stages.in_time import known_rows, predict_in_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.data.description import Variable
    from app.grids import Grid
    from app.inference.windows import Windows
    from app.models import ModelSpec

SPLIT = "test"


def run(session: Session) -> None:
    """Predict the test period, or the files under --input."""
    refuse_changed_data(session, "test")
    session = session.for_test
    inference = session.experiment.inference
    paths = trained_models(session)
    path = session.experiment.prediction
    in_time = session.experiment.in_time or saved_task(paths[0]) == "time"
    for name in ("target_step", "target_times"):
        given = session.experiment.flags[name]
        if given and not (in_time or inference.temporal_model):
            raise InputError(
                f"--{name}={given}: {paths[0]} is no model in time; expected one, or "
                "--temporal_model"
            )
    with session.guard.interruption.deferred():
        if inference.temporal_model is not None:
            _predict_in_space_and_time(session, paths, path)
        elif in_time:
            predict_in_time(session, paths[0], path, _attributes(paths, session), inference.input)
        elif inference.input:
            _predict_input(session, paths, path)
        else:
            _predict_test_period(session, paths, path)


def trained_models(session: Session) -> list[Path]:
    """The models of --ensemble, that of --model (run folders or files), or this run's own."""
    inference = session.experiment.inference
    if inference.ensemble:
        return [model_file(Path(n).expanduser(), f"--ensemble={n}") for n in inference.ensemble]
    if inference.model is not None:
        return [model_file(Path(inference.model).expanduser(), f"--model={inference.model}")]
    return [model_file(session.folder.model, f"--save_path={session.folder.path}")]


def _predict_in_space_and_time(session: Session, paths: list[Path], path: Path) -> None:
    """Refine the known frames first, into a file of their own, then fill in the times between."""
    given = str(session.experiment.inference.temporal_model)
    in_time = model_file(Path(given).expanduser(), f"--temporal_model={given}")
    refined = session.folder.path / refined_name(path.name)
    if session.experiment.inference.input:
        _predict_input(session, paths, refined)
    else:
        _predict_test_period(session, paths, refined, known=known_rows(session, in_time))
    attributes = _attributes([*paths, in_time], session)
    if not session.experiment.inference.input:
        attributes[DATA_DIGEST] = identity_digest(session.shards)
    predict_in_time(session, in_time, path, attributes, (str(refined),))


def _predict_test_period(
    session: Session, paths: list[Path], path: Path, known: np.ndarray | None = None
) -> None:
    """Predict the times of the test period, or those rows of it that are `known`."""
    shards, module = session.shards, session.module
    attributes = _attributes(paths, session) | {
        "data_fingerprint": shards.fingerprint,
        DATA_DIGEST: identity_digest(shards),
    }
    communicator = session.communicator
    if settled(session.experiment, path, attributes, complete=known is None):
        return

    from app.baselines.base import coarse_inputs
    from app.inference.gaps import Gaps
    from app.inference.predict import predict

    model, spec = load_models(paths, session.experiment.inference)
    check_fits(spec, shards, paths[0])
    rows = np.arange(shards.size(SPLIT)) if known is None else known
    predict(
        model,
        lambda indices: coarse_inputs(shards, rows[indices], SPLIT),
        shards.stamps(SPLIT).take(rows),
        _layout(session, spec, shards.geometry.fine, shards.variables["hr"], attributes),
        path,
        communicator=communicator,
        **_options(session, spec),
        confirm=shards.confirm,
        has_times=shards.has_times,
        undo=module.undo if module else None,
        windows=_windows(session, spec, shards.segments(SPLIT)),
        observed=_observed(session, spec, shards.stamps(SPLIT), shards.variables["hr"]),
        gaps=Gaps.of(spec),
    )


def _predict_input(session: Session, paths: list[Path], path: Path) -> None:
    communicator = session.communicator

    from app.inference.correction import Climate, corrected
    from app.inference.external import open_input
    from app.inference.gaps import Gaps
    from app.inference.plausibility import compare_with_training
    from app.inference.predict import predict

    inference = session.experiment.inference
    attributes = _attributes(paths, session) | {
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
    if settled(session.experiment, path, attributes):
        return
    model, spec = load_models(paths, inference)
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
        climate = Climate(paths[0], [channel.name for channel in spec.inputs])
        read = corrected(inference.input_correction, data, reference, climate)
    gaps = Gaps.of(spec)
    if gaps is not None and session.ranks.first:
        compare_with_training(read, len(data.stamps), spec.inputs, gaps.known)
        data.forget_values()
    predict(
        model,
        read,
        data.stamps,
        _layout(session, spec, data.fine, data.variables, attributes),
        path,
        communicator=communicator,
        **_options(session, spec),
        windows=_windows(session, spec, segments(data.stamps.seconds)),
        observed=_observed(session, spec, data.stamps, data.variables),
        gaps=gaps,
    )
    data.log_values()


def _observed(
    session: Session, spec: ModelSpec, stamps: Stamps, variables: tuple[Variable, ...]
) -> Callable[[np.ndarray], np.ndarray] | None:
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


def _windows(session: Session, spec: ModelSpec, pieces: np.ndarray) -> Windows | None:
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
    """Frames further apart than those of the training period show another motion."""
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


def _options(session: Session, spec: ModelSpec) -> dict[str, Any]:
    """How `predict` draws, the same for every kind of input."""
    experiment = session.experiment
    return {
        "batch_size": experiment.sampling.batch_size,
        "seed": experiment.training.seed,
        "members": experiment.inference.members,
        "how": drawing_of(spec, experiment.inference, session.guard.look),
        "check": session.guard.look,
    }


def _attributes(paths: list[Path], session: Session) -> dict[str, str]:
    """Where the fields come from, as attributes of the file."""
    inference = session.experiment.inference
    return {
        "title": "downscaled fields",
        "source": f"finescale {version('finescale')}",
        "model_sha256": hashes(paths),
        "seed": str(session.experiment.training.seed),
        "members": f"{inference.members} of each model, written: {inference.write_members}",
        "tiles": f"{inference.tile_size}, overlap {inference.tile_overlap}",
        "quantiles": f"{inference.write_quantiles}",
        "observations": str(session.experiment.model.observations),
        "sampling": f"diffusion models: {inference.sampler}, {inference.sampling_steps} steps, "
        f"eta {inference.ddim_eta}, noise correlation {inference.noise_correlation}",
        "history": history_line(command_line(sys.argv)),
    }
