"""Weights that are high where targets are rare: DenseLoss (Steininger et al. 2021).

A Gaussian kernel density p of the training targets, scaled to p' in [0, 1], gives the weight
max(1 - α p', ε), divided by its mean over the training targets. The density comes from a
histogram on a grid, which ranks and shards can add up, by convolution.
Reference: doi:10.1007/s10994-021-06023-5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from keras import ops
from scipy.fft import irfft, next_fast_len, rfft

from app.arrays import Array, Tensor

BANDWIDTH_FACTOR = 1.06  # of std · N^(-1/5), Silverman's rule for a normal distribution
GRID_NODES = 4096
LEAST_STEPS = 2  # grid steps in a bandwidth, below which the grid is refined
REFINED_STEPS = 8  # and to how many
MAX_NODES = 2**22
COUNT_UNIT = 2**16  # a value counts this much, shared out in whole parts: sums are then exact


@dataclass(frozen=True)
class ValueGrid:
    """Nodes `origin + i · step`, from the least to the largest value that there is."""

    origin: float
    step: float
    nodes: int

    @classmethod
    def of(cls, least: float, largest: float, bandwidth: float) -> ValueGrid:
        """4096 nodes, or as many as the bandwidth asks for."""
        width = largest - least
        nodes = GRID_NODES
        if bandwidth < LEAST_STEPS * width / (nodes - 1):
            nodes = min(MAX_NODES, int(np.ceil(REFINED_STEPS * width / bandwidth)) + 1)
        return cls(float(least), float(width / (nodes - 1)), nodes)

    @property
    def values(self) -> Array:
        return self.origin + self.step * np.arange(self.nodes)

    def histogram(self, values: Array) -> Array:
        """Counts (nodes,) int64 in parts of `COUNT_UNIT`; each value goes to its two neighbours.

        The shares are those of linear interpolation, so that the mean of a function that is
        linear between the nodes is the mean over the values themselves.
        """
        position = np.clip((np.asarray(values, "float64") - self.origin) / self.step, 0, None)
        left = np.minimum(position.astype(np.int64), self.nodes - 2)
        share = np.rint(np.minimum(position - left, 1.0) * COUNT_UNIT).astype(np.int64)
        counts = np.bincount(left, COUNT_UNIT - share, self.nodes)
        return (counts + np.bincount(left + 1, share, self.nodes)).astype(np.int64)

    def density(self, counts: Array, bandwidth: float) -> Array:
        """Gaussian kernel density (nodes,) of a histogram, per unit of the values."""
        offsets = self.step * np.arange(self.nodes) / bandwidth
        kernel = np.exp(-0.5 * offsets**2) / (bandwidth * np.sqrt(2 * np.pi))
        length = next_fast_len(2 * self.nodes - 1, real=True)
        circular = np.zeros(length)
        circular[: self.nodes] = kernel
        circular[length - self.nodes + 1 :] = kernel[:0:-1]
        smooth = irfft(rfft(counts / counts.sum(), length) * rfft(circular), length)
        result: Array = np.maximum(smooth[: self.nodes], 0.0)
        return result


def bandwidth_of(std: float, count: float) -> float:
    """h = 1.06 · std · N^(-1/5)."""
    return float(BANDWIDTH_FACTOR * std * count ** (-0.2))


def relative_density(density: Array, counts: Array) -> Array:
    """p' (nodes,): 0 at the rarest target, 1 at the commonest; 0 in gaps between targets."""
    taken = density[counts > 0]
    low, high = taken.min(), taken.max()
    result: Array = np.clip((density - low) / (high - low if high > low else np.inf), 0.0, 1.0)
    return result


def dense_weights(relative: Array, counts: Array, alpha: float, epsilon: float) -> Array:
    """w (nodes,) = max(1 - α p', ε) over its mean over all that was counted."""
    weights = np.maximum(1.0 - alpha * relative, epsilon)
    result: Array = weights / (counts @ weights / counts.sum())
    return result


@dataclass(frozen=True, eq=False)
class Lookup:
    """The weight of one predictand's values, linear between the grid's nodes.

    Values beyond the grid take the weight of its nearest end. With a `threshold`, in the
    predictand's unit, smaller values weigh 1 and the grid is that of the others; where it is
    `logarithmic`, of the logarithm of value / threshold.
    """

    grid: ValueGrid
    weights: Array
    relative: Array
    threshold: float | None = None
    logarithmic: bool = False

    def __call__(self, values: Tensor) -> Tensor:
        """Weights of physical values, any shape; NaN weighs as 0 does."""
        values = ops.where(ops.isnan(values), 0.0, values)
        place = values
        if self.threshold is not None and self.logarithmic:
            place = ops.log(ops.maximum(values, self.threshold) / self.threshold)
        position = (place - self.grid.origin) / self.grid.step
        position = ops.clip(position, 0.0, float(self.grid.nodes - 1))
        left = ops.minimum(ops.floor(position), float(self.grid.nodes - 2))
        share = position - left
        index = ops.cast(left, "int32")
        table = ops.convert_to_tensor(self.weights.astype("float32"))
        found = (1.0 - share) * ops.take(table, index) + share * ops.take(table, index + 1)
        return found if self.threshold is None else ops.where(values < self.threshold, 1.0, found)


@dataclass(frozen=True, eq=False)
class DenseWeights:
    """Weights of all predictands' values, each by its own lookup."""

    lookups: Sequence[Lookup]

    def __call__(self, targets: Tensor) -> Tensor:
        """Physical targets `(..., C)` to weights of the same shape."""
        parts = [lookup(targets[..., c : c + 1]) for c, lookup in enumerate(self.lookups)]
        return ops.concatenate(parts, axis=-1)
