"""Which samples each rank sees at each step: a pure function of seed, epoch, step and rank."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from app.arrays import Array

# Separate the random streams drawn from one seed.
PERMUTATION_STREAM = 0
PATCH_STREAM = 1
UNIFORM_STREAM = 2


@dataclass(frozen=True)
class Sampler:
    """Disjoint slices of one global permutation of n samples, `batch_size` a rank and step.

    All ranks run the same number of steps; short slices are padded with weight 0. With
    `shuffle=False` the samples come in their own order (validation, inference). `start` samples
    of the permutation are behind already: what is left does not depend on how many ranks, or
    which batch size, got that far. `progress`: share of the training that was behind when the
    epoch began.
    """

    n: int
    seed: int = 0
    epoch: int = 0
    rank: int = 0
    size: int = 1
    batch_size: int = 32
    shuffle: bool = True
    start: int = 0
    progress: float = 0.0

    def __post_init__(self) -> None:
        if (
            self.n < 1
            or self.batch_size < 1
            or not 0 <= self.rank < self.size
            or not 0 <= self.start <= self.n
        ):
            raise ValueError(
                "expected n ≥ 1, batch_size ≥ 1, 0 ≤ rank < size and 0 ≤ start ≤ n, received "
                f"n={self.n}, batch_size={self.batch_size}, rank={self.rank}, size={self.size}, "
                f"start={self.start}"
            )

    @property
    def global_batch(self) -> int:
        """Samples a step over all ranks."""
        return self.batch_size * self.size

    @property
    def steps(self) -> int:
        """Steps that pass over every sample left once."""
        return -(-(self.n - self.start) // self.global_batch)

    @cached_property
    def _order(self) -> Array:
        if not self.shuffle:
            return np.arange(self.n)
        return self._generator(PERMUTATION_STREAM, 0).permutation(self.n)

    def batch(self, step: int) -> tuple[Array, Array]:
        """Sample numbers (B,) int64 and weights (B,) float32 of this rank."""
        start = self._position(step)
        mine = self._order[start : start + self.global_batch][self.rank :: self.size]
        indices = np.zeros(self.batch_size, np.int64)
        indices[: len(mine)] = mine
        weights = np.zeros(self.batch_size, np.float32)
        weights[: len(mine)] = 1.0
        return indices, weights

    def offsets(self, step: int, choices: tuple[int, int]) -> Array:
        """(B, 2) random row and column below `choices`.

        Drawn for the whole global batch, so that sample and patch belong together however many
        ranks share the batch.
        """
        drawn = self._generator(PATCH_STREAM, self._position(step)).integers(
            0, np.asarray(choices), size=(self.global_batch, 2)
        )
        return drawn[self.rank :: self.size]

    def uniforms(self, step: int, count: int) -> Array:
        """(B, count) random numbers in [0, 1), drawn as `offsets` are."""
        generator = self._generator(UNIFORM_STREAM, self._position(step))
        return generator.random((self.global_batch, count))[self.rank :: self.size]

    def _position(self, step: int) -> int:
        """Samples of the permutation before a step."""
        return self.start + step * self.global_batch

    def _generator(self, stream: int, position: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, self.epoch, stream, position])
