"""The blocks of mapped files, compared with their checksums beside the work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from app.arrays import Array
from app.errors import Damage
from app.integrity.blocks import first_damage

Sums = Mapping[str, Array]  # file's name in the folder → its blocks' checksums


class FileCheck:
    """Compares every block of some files once, in a thread, so that nobody waits for it.

    `found` is called once where a file is damaged.
    """

    def __init__(self, folder: Path, sums: Sums, found: Callable[[], None] = lambda: None) -> None:
        self._folder, self._sums, self._found = folder, sums, found
        self._damage: str | None = None
        self._thread = threading.Thread(target=self._compare, name="checksums", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Damage if any has been found so far."""
        if self._damage is not None:
            raise Damage(self._damage)

    def finish(self) -> None:
        """Wait until all is compared; Damage where a block differs."""
        self._thread.join()
        self.look()

    def _compare(self) -> None:
        try:
            for name, sums in self._sums.items():
                byte = first_damage(self._folder / name, sums)
                if byte is not None:
                    self._found()
                    self._damage = damage_line(self._folder / name, byte)
                    return
        except OSError as error:
            self._damage = f"{self._folder}: cannot be read ({error.strerror})"


def damage_line(path: Path, byte: int) -> str:
    """What is said of a damaged block of prepared data."""
    return (
        f"{path}: damaged, its checksum differs at byte {byte}; nothing was written from it. The "
        "same command prepares the data again"
    )
