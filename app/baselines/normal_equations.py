"""Least squares from sums: accumulate XᵀX and Xᵀy block by block, solve for every penalty."""

from __future__ import annotations

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

    def add(self, x: Array, y: Array) -> None:
        """Take in features (cells, n, K) and targets (cells, n, J), NaN where missing."""
        valid = np.isfinite(y)
        y = np.where(valid, y, 0.0)
        xt = x.swapaxes(1, 2)
        self.gram += xt @ x
        self.moment += xt @ y
        self.squares += np.square(y).sum(axis=1)
        for p, (cell, offset) in enumerate(self.partial):
            present = x[cell][valid[cell, :, offset]]
            self.partial_gram[p] += present.T @ present

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

    `gram` (b, K, K), `moment` (b, K, J), `penalties` (J,) or (b, J) → (b, K, J). The constant is
    eliminated first, then the remaining matrix is diagonalised once for all penalties.
    """
    count = np.maximum(gram[:, -1, -1], 1.0)[:, None, None]
    means = gram[:, :-1, -1:] / count
    covariance = gram[:, :-1, :-1] / count - means @ means.swapaxes(1, 2)
    target_mean = moment[:, -1:] / count
    covariance_y = moment[:, :-1] / count - means * target_mean
    values, vectors = np.linalg.eigh(covariance)
    rotated = vectors.swapaxes(1, 2) @ covariance_y
    damped = np.maximum(values, 0.0)[:, :, None] + np.atleast_2d(penalties)[:, None, :]
    slopes = vectors @ (rotated / damped)
    constant = target_mean - (means * slopes).sum(axis=1, keepdims=True)
    return np.concatenate([slopes, constant], axis=1)
