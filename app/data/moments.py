"""Mean, spread and range of a stream of fields with gaps, without holding the stream."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from app.arrays import Array


class RunningMoments:
    """Statistics over time per cell and channel, block by block, mergeable over ranks.

    Means and squared deviations are combined after Chan, Golub and LeVeque (1983), so that
    280 K with a spread of 0.01 K loses no digits. NaN and infinities do not count. `state`
    holds the arrays, for exchange: count, mean, squares, minimum, maximum.
    """

    def __init__(self) -> None:
        self.state: dict[str, Array] = {}

    def add(self, block: ArrayLike) -> None:
        """Take in a block (n, …)."""
        values = np.asarray(block, np.float64)
        valid = np.isfinite(values)
        gaps = not valid.all()

        def known(others: float) -> Array:
            return np.where(valid, values, others) if gaps else values

        count = valid.sum(axis=0).astype(np.float64)
        mean = known(0.0).sum(axis=0) / np.maximum(count, 1)
        deviations = values - mean
        if gaps:
            deviations[~valid] = 0.0
        self._combine(
            {
                "count": count,
                "mean": mean,
                "squares": np.square(deviations, out=deviations).sum(axis=0),
                "minimum": known(np.inf).min(axis=0, initial=np.inf),
                "maximum": known(-np.inf).max(axis=0, initial=-np.inf),
            }
        )

    def merge(self, other: RunningMoments) -> None:
        """Add the statistics of another stream, such as another rank's."""
        if other.state:
            self._combine(other.state)

    def _combine(self, new: dict[str, Array]) -> None:
        if not self.state:
            self.state = dict(new)
            return
        old = self.state
        count = old["count"] + new["count"]
        share = new["count"] / np.maximum(count, 1)
        delta = new["mean"] - old["mean"]
        self.state = {
            "count": count,
            "mean": old["mean"] + delta * share,
            "squares": old["squares"] + new["squares"] + np.square(delta) * old["count"] * share,
            "minimum": np.minimum(old["minimum"], new["minimum"]),
            "maximum": np.maximum(old["maximum"], new["maximum"]),
        }

    @property
    def count(self) -> Array:
        """Number of valid values per cell."""
        return self.state["count"]

    @property
    def mean(self) -> Array:
        """Mean per cell, NaN where nothing valid was seen."""
        return np.where(self.count > 0, self.state["mean"], np.nan)

    @property
    def std(self) -> Array:
        """Population standard deviation per cell, NaN where nothing valid was seen."""
        spread = np.sqrt(self.state["squares"] / np.maximum(self.count, 1))
        return np.where(self.count > 0, spread, np.nan)
