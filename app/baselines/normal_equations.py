"""Least squares from sums: accumulate XᵀX and Xᵀy block by block, solve for every penalty."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy

import numpy as np

from app.arrays import Array


class NormalEquations:
    """Sums of one split over a band of coarse cells.

    All fine cells of a coarse cell share its Gram matrix (cells, K, K). Fine cells that miss
    some targets get their own, over the samples where they have one; `partial` (p, 2) lists
    them as (coarse cell, offset).
    """

    def __init__(self, cells: int, features: int, offsets: int, partial: Array) -> None:
        self.partial = partial
        self.gram = np.zeros((cells, features, features))
        self.partial_gram = np.zeros((len(partial), features, features))
        self.moment = np.zeros((cells, features, offsets))
        self.squares = np.zeros((cells, offsets))
        self.counts = np.zeros((cells, offsets))

    def add(self, x: Array, y: Array) -> None:
        """Take in features (cells, n, K) and targets (cells, n, J), NaN where missing."""
        valid = np.isfinite(y)
        y = np.where(valid, y, 0.0)
        xt = x.swapaxes(1, 2)
        self.gram += xt @ x
        self.moment += xt @ y
        self.squares += np.square(y).sum(axis=1)
        self.counts += valid.sum(axis=1)
        for p, (cell, offset) in enumerate(self.partial):
            present = x[cell][valid[cell, :, offset]]
            self.partial_gram[p] += present.T @ present

    def plus(self, other: NormalEquations, sign: int = 1) -> NormalEquations:
        """The sums of both; those of this one alone where the other is a part, with sign -1."""
        result = copy(self)
        for name in ("gram", "partial_gram", "moment", "squares", "counts"):
            setattr(result, name, getattr(self, name) + sign * getattr(other, name))
        return result

    def minus(self, coefficients: Array) -> NormalEquations:
        """The sums for what these coefficients (cells, K, J) leave of the targets.

        Of fine cells without any target nothing is left.
        """
        result = copy(self)
        known = self.counts > 0
        result.squares = np.where(known, self.squared_error(coefficients), 0.0)
        explained = self.gram @ coefficients
        if len(self.partial):
            cell, offset = self.partial.T
            own = self.partial_gram @ coefficients[cell, :, offset][..., None]
            explained[cell, :, offset] = own[..., 0]
        result.moment = np.where(known[:, None], self.moment - explained, 0.0)
        return result

    def columns(self, chosen: Array) -> NormalEquations:
        """The sums of some of the features, the constant last."""
        result = copy(self)
        result.gram = self.gram[:, chosen[:, None], chosen]
        result.partial_gram = self.partial_gram[:, chosen[:, None], chosen]
        result.moment = self.moment[:, chosen]
        return result

    def solutions(self, penalties: Iterable[float]) -> Iterator[Array]:
        """Coefficients (cells, K, J) for one penalty after the other, the same for all offsets."""
        shared = Ridge(self.gram, self.moment)
        cell, offset = self.partial.T
        own = Ridge(self.partial_gram, self.moment[cell, :, offset][..., None])
        for penalty in penalties:
            solution = shared.solve(penalty)
            solution[cell, :, offset] = own.solve(penalty)[..., 0]
            yield solution

    def solve(self, penalties: Array) -> Array:
        """Coefficients (cells, K, J), one penalty for each of the J offsets."""
        solution = ridge(self.gram, self.moment, penalties)
        if len(self.partial):
            cell, offset = self.partial.T
            own = self.moment[cell, :, offset][..., None]
            solved = ridge(self.partial_gram, own, penalties[offset][:, None])
            solution[cell, :, offset] = solved[..., 0]
        return solution

    def squared_error(self, coefficients: Array) -> Array:
        """Sum of squared errors (cells, J) of any coefficients (cells, K, J) on these data."""
        quadratic = ((self.gram @ coefficients) * coefficients).sum(axis=1)
        if len(self.partial):
            cell, offset = self.partial.T
            own = coefficients[cell, :, offset]
            quadratic[cell, offset] = np.einsum("pk,pkl,pl->p", own, self.partial_gram, own)
        result: Array = self.squares - 2 * (coefficients * self.moment).sum(axis=1) + quadratic
        return result


def ridge(gram: Array, moment: Array, penalties: Array) -> Array:
    """Minimise mean squared error + penalty·|β|², the last feature (the constant) free.

    `gram` (b, K, K), `moment` (b, K, J), `penalties` (J,) or (b, J) → (b, K, J).
    """
    return Ridge(gram, moment).solve(np.atleast_2d(penalties)[:, None, :])


class Ridge:
    """Ridge regressions (b, K, J), diagonalised once for all penalties.

    The constant, the last feature, is eliminated first and bears no penalty.
    """

    def __init__(self, gram: Array, moment: Array) -> None:
        count = np.maximum(gram[:, -1, -1], 1.0)[:, None, None]
        self.means = gram[:, :-1, -1:] / count
        covariance = gram[:, :-1, :-1] / count - self.means @ self.means.swapaxes(1, 2)
        self.target_mean = moment[:, -1:] / count
        covariance_y = moment[:, :-1] / count - self.means * self.target_mean
        values, self.vectors = np.linalg.eigh(covariance)
        self.values = np.maximum(values, 0.0)[:, :, None]
        self.rotated = self.vectors.swapaxes(1, 2) @ covariance_y

    def solve(self, penalty: Array | float) -> Array:
        """Coefficients (b, K, J); the penalty is a number or of a shape that fits."""
        slopes = self.vectors @ (self.rotated / (self.values + penalty))
        constant = self.target_mean - (self.means * slopes).sum(axis=1, keepdims=True)
        return np.concatenate([slopes, constant], axis=1)
