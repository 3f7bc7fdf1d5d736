"""From an experiment and its known frames to a model in time and the triples that train it."""

from __future__ import annotations

import numpy as np
from absl import logging

from app.arrays import Json
from app.data.description import TimeSteps
from app.data.shards import Shards
from app.data.shards.time_plan import all_summed
from app.data.streaming.triples import TripleChoice, TripleSamples
from app.methods.input_sources import as_read
from app.methods.known_inputs import known_inputs
from app.models import Channel
from app.models.temporal import TemporalArrays, TemporalModel, TemporalNetwork, TemporalSpec
from app.options import Experiment

SHRINKAGE = 0.03  # chosen by cross-validation over three-day blocks of ERA5's known frames
TINY = 1e-12


def build_temporal_model(experiment: Experiment, shards: Shards) -> TemporalModel:
    """The untrained model."""
    temporal, config = experiment.temporal, experiment.model
    variables = shards.variables
    spec = TemporalSpec(
        outputs=tuple(Channel.of(v) for v in shards.predictands),
        guidance=tuple(Channel.of(v) for v in variables["predictors"]),
        geometry=shards.geometry.to_dict(),
        step=_steps(experiment).input_step,
        context=temporal.context_frames > 0,
        summed=all_summed(variables["hr"]),
        statics=tuple(v.name for v in variables["static"]),
        time_features=config.time_features,
        sun_response=temporal.sun_response,
        gaps=config.gaps,
        domain={
            "sources": _sources(experiment, shards),
            "fingerprint": shards.fingerprint,
            "inputs": known_inputs(shards, ("hr", "predictors")).to_dict(),
        },
    )
    network = TemporalNetwork(
        n_outputs=len(spec.outputs),
        n_guidance=len(spec.guidance),
        n_static=len(spec.statics),
        n_time=len(spec.time_channels),
        n_sun=len(spec.sun_response),
        context=spec.context,
        flow_filters=temporal.flow_filters if temporal.flow else (),
        n_filters=config.n_filters,
        n_blocks=config.n_blocks,
        activation=config.activation,
        padding=config.padding,
    )
    logging.info("network: %d weights", network.count_params())
    return TemporalModel(spec, _arrays(shards), network)


def triple_samples(experiment: Experiment, shards: Shards) -> TripleSamples:
    """The triples of the experiment's flags."""
    temporal, training = experiment.temporal, experiment.training
    options = TripleChoice(
        step=_steps(experiment).input_step,
        summed=all_summed(shards.variables["hr"]),
        span=temporal.max_triplet_span,
        subset=temporal.composite_subset,
        quantile=temporal.composite_quantile,
        coherence_from=training.pretrain_epochs / training.epochs,
        seed=training.seed,
    )
    return TripleSamples(shards, options)


def fit_solar_coefficients(model: TemporalModel, samples: TripleSamples) -> None:
    """Fit how strongly each cell follows the sun: ridge regression over all training triples.

    The error of the interpolation between the outer frames at the middle frame is regressed on
    the same error of the solar curves. `SHRINKAGE` times a curve's own power is its penalty.
    """
    if not model.spec.sun_response:
        return
    cells, channels, curves = (
        model.solar_coefficients.shape[:2],
        model.n_outputs,
        len(model.spec.sun_response),
    )
    gram = np.zeros((*cells, channels, curves, curves))
    moment = np.zeros((*cells, channels, curves))
    for batch in samples.whole_train():
        sun, missed = (np.asarray(x, np.float64) for x in model.missed(batch))
        valid = np.isfinite(missed)
        gram += np.einsum("bhwk,bhwl,bhwc->hwckl", sun, sun, valid, optimize=True)
        moment += np.einsum("bhwk,bhwc->hwck", sun, np.where(valid, missed, 0.0))
    power = np.einsum("hwckk->hwck", gram)
    penalty = np.eye(curves) * np.maximum(SHRINKAGE * power, TINY)[..., None]
    found = np.linalg.solve(gram + penalty, moment[..., None])[..., 0]
    model.solar_coefficients.assign(np.moveaxis(found, -1, -2).astype(np.float32))


def _steps(experiment: Experiment) -> TimeSteps:
    if experiment.data is None or experiment.data.time_steps is None:
        raise ValueError("the experiment does not downscale in time")
    return experiment.data.time_steps


def _arrays(shards: Shards) -> TemporalArrays:
    roles = ["hr", *(["predictors"] if shards.variables["predictors"] else [])]
    static = shards.scaling["static"]
    return TemporalArrays(
        offset=np.concatenate([shards.scaling[role].offset for role in roles], axis=-1),
        scale=np.concatenate([shards.scaling[role].scale for role in roles], axis=-1),
        static=shards.static,
        static_offset=static.offset,
        static_scale=static.scale,
    )


def _sources(experiment: Experiment, shards: Shards) -> list[Json]:
    """How known frames are read from files."""
    data = experiment.data
    if data is None or data.predictand is None:
        return []
    variables = (*shards.variables["hr"], *shards.variables["predictors"])
    sources = (data.predictand, *data.predictors)
    return as_read(sources, variables, "units", "time_method", "standard_name")
