"""What the training loop takes its batches from."""

from __future__ import annotations

from typing import Protocol

from app.data.contract import PreparedData
from app.data.streaming.batches import BatchIterator, FieldBatch, batches
from app.data.streaming.observations import Observations
from app.data.streaming.patches import Patches
from app.data.streaming.sampler import Sampler
from app.data.streaming.triples import TripleBatch
from app.data.streaming.windows import samples


class Samples(Protocol):
    """Samples of the splits "train" and "validation".

    turns: shares of the training from which its batches hold something else than before.
    """

    turns: tuple[float, ...]

    def size(self, split: str) -> int:
        """How many there are."""

    def check_files(self) -> None:
        """InputError if what they are read from has vanished or changed."""

    def confirm(self) -> None:
        """Wait until what they are read from is checked; Damage where it has changed."""

    def batches(
        self, split: str, sampler: Sampler
    ) -> BatchIterator[FieldBatch] | BatchIterator[TripleBatch]:
        """Batches of the sampler's epoch."""


class FieldSamples:
    """One time a sample, or a window of `frames` times: whole fields, or patches of them."""

    turns: tuple[float, ...] = ()

    def __init__(
        self,
        shards: PreparedData,
        patch: int | Patches | None,
        frames: int | None,
        observations: Observations | None = None,
    ) -> None:
        self._shards, self._patch, self._frames = shards, patch, frames
        self._observations = observations

    def size(self, split: str) -> int:
        return len(samples(self._shards, split, self._frames, self._stride(split)))

    def check_files(self) -> None:
        self._shards.check_files()

    def confirm(self) -> None:
        self._shards.confirm()

    def batches(self, split: str, sampler: Sampler) -> BatchIterator[FieldBatch]:
        return batches(
            self._shards,
            split,
            sampler,
            patch=self._patch,
            frames=self._frames,
            stride=self._stride(split),
            observations=self._observations,
        )

    def _stride(self, split: str) -> int:
        """Windows overlap in training; side by side they validate every frame once."""
        return self._frames or 1 if split == "validation" else 1
