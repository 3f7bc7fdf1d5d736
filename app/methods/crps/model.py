"""From an experiment and its shards to a model that draws members from noise."""

from __future__ import annotations

from absl import logging

from app.data.shards import Shards
from app.data.times import modal_step
from app.methods.spatial.model import first_guess, model_arrays, model_spec, warn_of_bias
from app.models import NoisyModel, build_network
from app.options import Experiment
from app.ranks import Ranks


def build_noisy(experiment: Experiment, shards: Shards, ranks: Ranks) -> NoisyModel:
    """The untrained model; fitted parts come from the first rank, which broadcasts them."""
    config, channels = experiment.model, experiment.training.noise_channels
    warn_of_bias(config.constraint, shards, ranks)
    spec = model_spec(experiment, shards, on_fine_grid=config.upsampling == "pin")
    network = build_network(
        config,
        n_inputs=spec.n_coarse,
        n_static=spec.n_static,
        n_outputs=len(spec.outputs),
        n_noise=channels,
        scale=spec.scale,
        coarse_shape=shards.geometry.coarse_shape if config.localcon_layer else (None, None),
        zero_output=config.first_guess != "none",
    )
    logging.info("network: %d weights", network.count_params())
    return NoisyModel(
        spec,
        model_arrays(shards),
        network,
        first_guess(experiment, shards, ranks),
        noise_channels=channels,
        time_step=modal_step(shards.stamps("train").seconds) if shards.has_times else 0,
    )
