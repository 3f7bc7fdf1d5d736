"""From an experiment and its shards to a physical model that is ready to be trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from absl import logging
from numpy.typing import NDArray

from app.arrays import Json
from app.baselines.interpolation import find_twins
from app.baselines.regression import Choice, fit_regression, sight
from app.baselines.ridge import Encoded, fit_ridge
from app.data.contract import EncodedFields
from app.data.description import DataDescription
from app.data.shards import Shards
from app.grids import Geometry
from app.methods.input_sources import as_read
from app.methods.known_inputs import known_inputs, known_targets
from app.methods.spatial.checks import (
    amount_limits,
    constraint_twins,
    guess_twins,
    lower_bounds,
)
from app.models import (
    Channel,
    InterpolationGuess,
    LinearGuess,
    ModelArrays,
    ModelSpec,
    PhysicalModel,
    build_network,
    output_of,
    time_channels,
)
from app.options import Experiment
from app.ranks import Ranks


def build_model(
    experiment: Experiment,
    shards: Shards,
    ranks: Ranks,
    make_network: Callable[[ModelSpec], keras.Model] | None = None,
) -> PhysicalModel:
    """The untrained model; fitted parts come from the first rank, which broadcasts them.

    `make_network` gives another network than that of the model flags; it enlarges by itself.
    """
    config = experiment.model
    on_fine_grid = make_network is None and config.upsampling == "pin"
    spec = model_spec(experiment, shards, on_fine_grid=on_fine_grid)
    warn_of_bias(config.constraint, shards, ranks)
    if make_network is not None:
        network = make_network(spec)
    else:
        output = output_of(spec.quantiles, spec.amounts)
        network = build_network(
            config,
            n_inputs=spec.n_coarse,
            n_static=spec.n_static,
            n_outputs=len(spec.outputs) * output.n_parameters,
            scale=experiment.sampling.scale,
            coarse_shape=shards.geometry.coarse_shape if config.one_grid else (None, None),
            pad=shards.geometry.pad,
            zero_output=config.first_guess != "none",
        )
    logging.info("network: %d weights", network.count_params())
    return PhysicalModel(
        spec, model_arrays(shards), network, first_guess(experiment, shards, ranks)
    )


def warn_of_bias(constraint: str, shards: Shards, ranks: Ranks) -> None:
    """Say that a constraint to a source of its own keeps that source's bias."""
    if constraint != "none" and shards.explicit and ranks.first:
        logging.warning(
            "--constraint=%s with explicit pairs: block means become those of the low-resolution "
            "source, its bias included",
            constraint,
        )


def model_spec(experiment: Experiment, shards: Shards, *, on_fine_grid: bool) -> ModelSpec:
    """What a model is made for; `on_fine_grid`: whether its inputs are interpolated first."""
    variables = shards.variables
    return ModelSpec(
        inputs=tuple(Channel.of(v) for v in (*variables["lr"], *variables["predictors"])),
        outputs=tuple(Channel.of(v) for v in shards.predictands),
        n_lr=len(variables["lr"]),
        geometry={**shards.geometry.to_dict(), "pad": list(shards.geometry.pad)},
        statics=tuple(v.name for v in variables["static"]),
        interpolation=experiment.model.interpolation if on_fine_grid else None,
        time_features=experiment.model.time_features,
        constraint=experiment.model.constraint,
        twins=constraint_twins(experiment.model.constraint, shards),
        lower_bounds=lower_bounds(experiment.model.output_activation, variables["hr"]),
        quantiles=experiment.training.predicted_quantiles,
        amounts=amount_limits(experiment, shards),
        input_noise=experiment.training.input_noise,
        time_window=experiment.model.time_window,
        observed=experiment.model.observations is not None,
        scaled_correction=experiment.model.scaled_correction,
        gaps=experiment.model.gaps,
        bidirectional=experiment.model.bidirectional,
        domain={
            "sources": _sources(experiment.data, shards),
            "fingerprint": shards.fingerprint,
            "step": shards.step("train"),
            "inputs": known_inputs(shards).to_dict(),
            "static_units": {v.name: v.units for v in variables["static"]},
        },
    )


def _sources(data: DataDescription | None, shards: Shards) -> list[Json]:
    """How the coarse inputs are read from files."""
    if data is None or data.predictand is None:
        return []
    variables = (*shards.variables["lr"], *shards.variables["predictors"])
    sources = (data.low_resolution or data.predictand, *data.predictors)
    return as_read(sources, variables, "units", "standard_name")


def model_arrays(shards: Shards) -> ModelArrays:
    """The scaling, mask and statics that a model holds."""
    geometry, scaling = shards.geometry, shards.scaling
    inputs = [scaling["lr"]]
    if shards.variables["predictors"]:
        inputs.append(scaling["predictors"])
    fine = scaling["hr"]
    has_static = bool(shards.variables["static"])
    static = scaling["static"] if has_static else None
    return ModelArrays(
        input_offset=np.concatenate([part.offset for part in inputs], axis=-1),
        input_scale=np.concatenate([part.scale for part in inputs], axis=-1),
        output_offset=_padded(fine.offset, geometry),
        output_scale=_padded(fine.scale, geometry),
        mask=known_targets(shards),
        static=shards.padded_static if has_static else None,
        static_offset=static.offset if static else None,
        static_scale=static.scale if static else None,
        areas=geometry.weights(),
    )


def _padded(values: NDArray[np.float64], geometry: Geometry) -> NDArray[np.float64]:
    """Scaling maps on the padded grid; numbers per channel as they are."""
    return values if values.ndim == 1 else geometry.pad_field(values, axes=(0, 1))


def first_guess(
    experiment: Experiment, shards: Shards, ranks: Ranks, choice: Choice | None = None
) -> Any | None:
    """What the network corrects, fitted on the first rank; None where it corrects nothing.

    choice: the parts of a regression, where they have been chosen before.
    """
    kind, scale = experiment.model.first_guess, experiment.sampling.scale
    variables = shards.variables
    if kind == "none":
        return None
    if kind in ("bilinear", "bicubic"):
        return InterpolationGuess(kind, scale, list(guess_twins(kind, shards)))
    if ranks.first:
        seen = time_channels(experiment.model.time_features)
        return fitted_guess(experiment, shards, Encoded(shards, seen), choice)
    h, w = shards.geometry.coarse_shape
    return LinearGuess(
        (h, w),
        n_lr=len(variables["lr"]),
        n_predictors=len(variables["predictors"]),
        n_outputs=len(variables["hr"]),
        scale=scale,
        **_sight(experiment, shards),
    )


def fitted_guess(
    experiment: Experiment, shards: Shards, fields: EncodedFields, choice: Choice | None = None
) -> LinearGuess:
    """The linear first guess, fitted on the training period of encoded fields."""
    if experiment.model.first_guess == "regression":
        fit, chosen = fit_regression(fields, find_twins(shards), choice)
        if choice is None:
            logging.info("first guess: %s", chosen)
    else:
        radius = experiment.model.first_guess_radius
        fit = fit_ridge(fields, radius - 1, radius)
    n_lr, scale = len(shards.variables["lr"]), experiment.sampling.scale
    return LinearGuess.from_arrays(
        fit.coefficients, fit.fill, n_lr=n_lr, scale=scale, **_sight(experiment, shards)
    )


def _sight(experiment: Experiment, shards: Shards) -> Json:
    """What a linear first guess sees."""
    radius = experiment.model.first_guess_radius
    beside = radius - 1
    if experiment.model.first_guess == "regression":
        radius, beside = sight(shards.geometry, shards.variables, shards.coarse_predictand)
    return {
        "lr_radius": radius,
        "predictor_radius": beside,
        "time_channels": time_channels(experiment.model.time_features),
    }
