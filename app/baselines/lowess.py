"""Locally weighted scatterplot smoothing: a curve through a cloud of points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.arrays import Array

SHARE = 2 / 3  # of the points, the nearest ones, that a place of the curve is fitted to
NODES = 64  # at most: places at which the curve is fitted, quantiles of the points
TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Lowess:
    """A curve, straight between its nodes and beyond them.

    Cleveland 1979, doi:10.1080/01621459.1979.10481038, without the robustness iterations.
    """

    nodes: Array
    values: Array

    @classmethod
    def fit(cls, x: Array, y: Array, share: float = SHARE) -> Lowess:
        """The curve of points (n,): at each node a line fitted with tricube weights of distance."""
        nodes = np.unique(np.quantile(x, np.linspace(0, 1, NODES)))
        near = min(len(x), max(2, int(np.ceil(share * len(x)))))
        values = [_line_at(node, x, y, near) for node in nodes]
        return cls(nodes, np.array(values))

    def __call__(self, x: Array) -> Array:
        """The curve's values at x (n,)."""
        if len(self.nodes) == 1:
            return np.full(len(x), self.values[0])
        slopes = np.diff(self.values) / np.diff(self.nodes)
        below, above = (np.minimum(x - self.nodes[0], 0), np.maximum(x - self.nodes[-1], 0))
        within = np.interp(x, self.nodes, self.values)
        result: Array = within + slopes[0] * below + slopes[-1] * above
        return result


def _line_at(node: float, x: Array, y: Array, near: int) -> float:
    """The weighted line of the `near` nearest points, at the node."""
    distance = np.abs(x - node)
    reach = np.partition(distance, near - 1)[near - 1]
    weight = np.clip(1 - (distance / max(reach, TINY)) ** 3, 0, None) ** 3
    if not weight.sum() > TINY:
        weight = (distance <= reach).astype(np.float64)  # all as far as the farthest
    weight = weight / weight.sum()
    centre, level = weight @ x, weight @ y
    spread = weight @ (x - centre) ** 2
    if spread <= TINY * max(reach, 1.0) ** 2:
        return float(level)
    slope = weight @ ((x - centre) * (y - level)) / spread
    return float(level + slope * (node - centre))
