"""What ranks hand each other through files of one folder, without MPI, Horovod or TensorFlow.

All ranks call the same methods in the same order. Values are pickled, in a folder that belongs to
one start of one job, and that its user alone can write to.
"""

from __future__ import annotations

import pickle
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from app.ranks import Ranks
from app.running.atomic import write_bytes

POLL_S = 0.05


class Exchange:
    """Ranks that share a folder; one rank alone needs none.

    check: called while others are waited for; raises where that is in vain.
    """

    def __init__(
        self,
        ranks: Ranks | None = None,
        folder: Path | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.ranks = ranks or Ranks()
        self.check = check
        self._folder = folder
        self._count = 0
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, rank: int) -> Path | None:
        """A file of a rank's own that the others may read; None for one rank alone."""
        return None if self._folder is None else self._folder / f"fields-{rank}"

    def gather(self, value: Any) -> list[Any]:
        """The values of all ranks, in their order."""
        if self._folder is None:
            return [value]
        self._put(value)
        return [self._take(rank) for rank in range(self.ranks.size)]

    def barrier(self) -> None:
        """Wait until every rank has come here."""
        self.gather(None)

    def others(self, value: Any) -> Iterator[Any]:
        """On the first rank the values of the others, one at a time; elsewhere nothing."""
        if self._folder is None:
            return
        if self.ranks.first:
            self._count += 1
            for rank in range(1, self.ranks.size):
                yield self._take(rank)
        else:
            self._put(value)

    def remove(self) -> None:
        """Take the folder away, once the first rank has all that it needs."""
        if self._folder is not None and self.ranks.first:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _put(self, value: Any) -> None:
        self._count += 1
        write_bytes(self._value(self.ranks.rank), pickle.dumps(value))

    def _take(self, rank: int) -> Any:
        path = self._value(rank)
        while not path.exists():
            self.check()
            time.sleep(POLL_S)
        return pickle.loads(path.read_bytes())

    def _value(self, rank: int) -> Path:
        assert self._folder is not None
        return self._folder / f"value-{self._count}-{rank}"


ALONE = Exchange()
