"""Power of fields by the distance from the centre of their Fourier transform."""

from __future__ import annotations

import numpy as np

from app.arrays import Array

LEAST_POWER = 1e-30
DECIBEL = 10.0


def radial_power(fields: Array) -> Array:
    """Mean |F|² (n, r) at each whole distance r from the centre, of fields (n, y, x).

    F: two-dimensional Fourier transform, not normalised, the zero frequency shifted to the
    middle; distance from the middle of the array, (side - 1)/2, fractions cut off.
    """
    *_, y, x = fields.shape
    power = np.abs(np.fft.fftshift(np.fft.fft2(fields), axes=(-2, -1))) ** 2
    rows, columns = np.ogrid[:y, :x]
    radius = np.hypot(rows - (y - 1) / 2, columns - (x - 1) / 2).astype(np.int64).ravel()
    count = np.bincount(radius)
    sums = np.array([np.bincount(radius, one.ravel()) for one in power])
    result: Array = sums / np.maximum(count, 1)
    return result


def ralsd(truth: Array, power: Array) -> Array:
    """Mean over bins (…, r) of (10·log10(P_truth / P))², dB², no root; P at least 1e-30.

    NaN where the truth has no power in a bin.
    """
    with np.errstate(divide="ignore"):
        ratio = DECIBEL * np.log10(truth / np.maximum(power, LEAST_POWER))
    result: Array = np.square(ratio).mean(axis=-1)
    return np.where(np.isfinite(result), result, np.nan)
