"""What passes between the ranks of a job; between those of a single one, nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.arrays import Tensor
from app.ranks import Ranks


class Communicator:
    """One process: sums are what they are."""

    def __init__(self, ranks: Ranks) -> None:
        self.ranks = ranks
        self.entered = 0  # steps and exchanges so far: shows which rank the others wait for

    def enter(self) -> None:
        """To be called before each compiled step that sums over the ranks."""
        self.entered += 1

    def sum(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Sum each tensor over the ranks; usable inside a compiled function."""
        return list(tensors)

    def broadcast(self, variables: Sequence[Tensor]) -> None:
        """Give every rank the first rank's values of Keras variables."""

    def gather(self, value: Any) -> list[Any]:
        """The picklable values of all ranks, in their order."""
        return [value]

    def barrier(self) -> None:
        """Wait until every rank has come here."""
        self.gather(None)

    def finish(self) -> None:
        """To be called by each rank that has done all of its work, before its process ends."""

    @property
    def regrouping(self) -> bool:
        """Whether ranks are about to come or go, and a checkpoint is wanted before they do."""
        return False

    def commit(self, run: str, checkpoint: Any) -> None:
        """Keep what all ranks go on from, in the run of that name, when ranks come or go.

        Regroup where they do.
        """

    def committed(self, run: str) -> Any:
        """What was last committed in the run of that name."""
        return None
