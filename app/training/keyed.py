"""Trainers whose samples come with noise that belongs to them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

import numpy as np

from app.arrays import Json, Tensor
from app.models.diffusion.noise import keyed_generator
from app.training.base import NetworkTrainer
from app.training.trainer import Batch

TRAINING, VALIDATION = 0, 1  # parts of the keys of noise


class KeyedTrainer(NetworkTrainer):
    """Noise keyed by seed, step and sample: any number of ranks, and a resumed run, see the same.

    In validation the step is left out, so that epochs compare.
    """

    def train_step(self, batch: Batch) -> None:
        step = int(np.asarray(self._inner_optimizer().iterations))
        super().train_step(self._with_noise(batch, TRAINING, step))

    def validate(self, batches: Iterator[Batch]) -> float:
        """Weighted mean of the loss, with the same noise each time, dropout off."""
        return super().validate(self._with_noise(batch, VALIDATION, 0) for batch in batches)

    def _generators(self, batch: Batch, purpose: int, step: int) -> Iterator[np.random.Generator]:
        """One for each sample of the batch."""
        for index in batch["index"]:
            yield keyed_generator(self.config.seed, purpose, step, int(index))

    @abstractmethod
    def _with_noise(self, batch: Batch, purpose: int, step: int) -> Batch:
        """The batch with its noise, and with what else is drawn for its samples."""

    @abstractmethod
    def _sums_of(self, batch: Batch, training: bool) -> tuple[Tensor, Tensor]:
        """Sums over the samples of weight × loss, and of the weights."""

    def _loss_sums(self, batch: Batch) -> tuple[Json, Tensor]:
        loss, weight = self._sums_of(batch, training=True)
        return {"loss": loss}, weight

    def _validation_sums(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return self._sums_of(batch, training=False)
