"""Members of models that draw: from the distribution they predict, or by dropout at inference.

What a sample draws depends on the seed, the member and its time stamp, not on the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
from keras import ops

from app.arrays import Array, Json, Tensor
from app.models.diffusion.noise import POSITIVE
from app.models.layers.dropout import DrawsAtInference
from app.models.output import Quantiles


def sample_seeds(batch: Mapping[str, Tensor], seed: int) -> list[list[int]]:
    """What each sample's random numbers are made from."""
    stamps = batch.get("seconds", range(len(batch["coarse"])))
    return [[seed, int(second) % POSITIVE] for second in stamps]


def network_draws(network: keras.Model) -> bool:
    """Whether two passes of the network over the same inputs differ."""
    return any(isinstance(layer, DrawsAtInference) for layer in network._flatten_layers())


def from_distribution(
    quantiles: Quantiles,
    parameters: Array,
    seeds: Sequence[Sequence[int]],
    members: int,
    levels: Sequence[float],
) -> Array:
    """Samples `(members, B, H, W, C)` of the predicted distribution, or its quantiles at `levels`.

    `parameters` are what the network answers. Cells are drawn independently of one another.
    """
    shape = parameters.shape[2:]

    def random_levels(member: int) -> Array:
        return np.stack([np.random.default_rng([*own, member]).random(shape) for own in seeds])

    drawn = [] if levels else [random_levels(member) for member in range(members)]
    return np.stack([quantiles(parameters, level) for level in levels or drawn])


def from_network(
    predict: Callable[[Json], Array],
    network: keras.Model,
    inputs: dict[str, Array],
    seeds: Sequence[Sequence[int]],
    members: int,
) -> list[Array]:
    """Fields of each member, each sample passed by itself; the network's own state is kept."""
    states = [v for v in network.non_trainable_variables if "seed" in v.name]
    kept = [np.array(ops.convert_to_numpy(state)) for state in states]
    fields = []
    for member in range(members):
        samples = []
        for row, entropy in enumerate(seeds):
            for i, state in enumerate(states):
                drawn = np.random.SeedSequence([*entropy, member, i]).generate_state(2)
                state.assign(drawn.astype(kept[i].dtype))
            samples.append(predict({n: values[row : row + 1] for n, values in inputs.items()}))
        fields.append(np.concatenate(samples))
    for state, value in zip(states, kept, strict=True):
        state.assign(value)
    return fields
