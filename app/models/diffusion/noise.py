"""Noise that belongs to a seed, a time stamp and a member, whatever batch or rank asks for it."""

from __future__ import annotations

import numpy as np

from app.arrays import Array

FORGOTTEN = 1e-3  # correlation beyond which the past is left out
POSITIVE = 2**63


def keyed_generator(*key: int) -> np.random.Generator:
    """The counter-based generator (Philox) of a key of whole numbers."""
    words = [number % POSITIVE for number in key]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))


def white(shape: tuple[int, ...], *key: int) -> Array:
    """Standard normal float32 values that only the key decides."""
    return keyed_generator(*key).standard_normal(shape, np.float32)


def past_weights(correlation: float) -> Array:
    """(K,) weights of the present and past white fields of an AR(1) process of unit variance.

    Correlation ρ^k at lag k, the window cut where ρ^K falls below 0.001.
    """
    if correlation == 0:
        return np.ones(1)
    window = int(np.ceil(np.log(FORGOTTEN) / np.log(correlation)))
    weights = correlation ** np.arange(max(window, 1), dtype=np.float64)
    result: Array = weights / np.sqrt(np.sum(weights**2))
    return result


class MemberNoise:
    """Successive fields of noise (B, H, W, C) of one member at given time stamps.

    Arguments: shape (H, W, C); seconds (B,); seed; member; correlation between stamps one
    `time_step` (seconds) apart. Fields of one sample are independent of one another, those of
    neighbouring times follow an AR(1) process, made of white fields keyed by the stamps before.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        seconds: Array,
        seed: int,
        member: int,
        *,
        correlation: float = 0.0,
        time_step: int = 0,
    ) -> None:
        self.shape, self.seed, self.member = shape, seed, member
        self.seconds = [int(second) for second in seconds]
        self.weights = past_weights(correlation if time_step else 0.0)
        self.time_step = time_step
        self.drawn = 0

    def __call__(self) -> Array:
        number, self.drawn = self.drawn, self.drawn + 1
        white_fields: dict[int, Array] = {}  # neighbours in a batch share most of their past

        def white_at(second: int) -> Array:
            if second not in white_fields:
                key = (self.seed, second, self.member, number)
                white_fields[second] = white(self.shape, *key)
            return white_fields[second]

        def at(second: int) -> Array:
            total = np.zeros(self.shape, np.float64)
            for k, weight in enumerate(self.weights):
                total += weight * white_at(second - k * self.time_step)
            return total

        return np.stack([at(second) for second in self.seconds]).astype(np.float32)
