"""What the loop asks of a training method."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from app.arrays import Array, Json, Tensor

Batch = Mapping[str, Tensor]
# Notices: all are to stop, a checkpoint is due, this rank is to leave, from here MiB by rank.
STOP, SAVE, LEAVE, MEMORY = 0, 1, 2, 3


class Trainer(Protocol):
    """What a training method gives to the loop."""

    def start_epoch(self) -> None:
        """Forget the losses of the epoch before."""

    def train_step(self, batch: Batch) -> None:
        """One step of all ranks, each on its batch."""

    def epoch_losses(self) -> dict[str, float]:
        """Mean training losses since the epoch began, "loss" first, the same on every rank."""

    def calibrate(self, batches: Callable[[], Iterator[Batch]]) -> None:
        """Fit to all ranks' batches what the validation period decides, where anything is."""

    def validate(self, batches: Iterator[Batch]) -> float:
        """Mean loss over all ranks' batches, the same on every rank."""

    def synchronise(self) -> None:
        """Make what ranks gather on their own the same on all of them."""

    def averaged(self) -> AbstractContextManager[None]:
        """Within it the networks have the weights that are validated and saved."""

    def save(self, path: Path) -> None:
        """Write the trained model."""

    def variables(self) -> Json:
        """All state but the seeds, by names that a resumed run finds again."""

    def seeds(self) -> list[Tensor]:
        """States of the random generators, each rank's own."""

    def post(self, notices: Array) -> None:
        """Values (n,) that travel with the next steps' gradients, until others are posted."""

    def heard(self) -> Any:
        """The last step's notices, summed over the ranks: an array-like, not waited for."""

    def local(self) -> list[Tensor]:
        """Variables, seeds aside, that each rank gathers on its own between synchronisations."""

    def plan(self, step: int, progress: float, steps: int) -> None:
        """Have the learning rate's schedule end so many steps after a step.

        progress: of the schedule at that step, from 0 to 1. Called in runs that end by time.
        """

    def rate(self) -> float:
        """Learning rate of the next step."""
