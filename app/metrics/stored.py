"""Fields on disk: written a block of times after the other, read as bands of rows of all times."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np

from app.arrays import Array
from app.running.disk_space import reserve, writing

ITEM = np.dtype(np.float32).itemsize


class StoredFields:
    """Fields (L, n, y, x, C) float32 of this rank's times, in a file; and those of the others'.

    The file holds band after band of rows, each (L, n, rows, x, C), so that a band is read in one
    go. Nothing is mapped: what is held in memory is what was asked for.

    shape: (L, y, x, C). bands: of rows of the grid. shares: the times of every rank, in order.
    """

    def __init__(
        self,
        shape: tuple[int, int, int, int],
        bands: Sequence[slice],
        shares: Sequence[range],
        rank: int = 0,
    ) -> None:
        self.shape, self.bands, self.shares, self.rank = shape, bands, shares, rank
        self._files: list[int] = []
        self._exits = ExitStack()

    def open(self, folder: Path, path: Path | None = None) -> Self:
        """Make the file, at a path that other ranks can read, or without a name in a folder.

        NoRoom before anything is written to it.
        """
        wanted = self._bytes(self.shares[self.rank])
        with writing(path or folder / "a temporary file", wanted):
            file: IO[bytes] = self._exits.enter_context(
                tempfile.TemporaryFile(dir=folder) if path is None else path.open("w+b")  # noqa: SIM115
            )
            reserve(file.fileno(), wanted)
        self._own = file.fileno()
        self._files = [self._own]
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exits.close()

    def join(self, paths: Sequence[Path | None]) -> None:
        """Open the files of all ranks, once they are written."""
        files = []
        for rank, path in enumerate(paths):
            if rank == self.rank or path is None:
                files.append(self._own)
            else:
                files.append(self._exits.enter_context(path.open("rb")).fileno())
        self._files = files

    def write(self, layer: int, indices: Array, fields: Array) -> None:
        """Put layers (l, n, y, x, C) from number `layer` on, at consecutive times."""
        share = self.shares[self.rank]
        first = int(indices[0]) - share.start
        for band in self.bands:
            for number, own in enumerate(fields, start=layer):
                part = np.ascontiguousarray(own[:, band], np.float32)
                _write(self._own, part, self._offset(share, band, number, first))

    def read(self, layer: int, indices: Array) -> Array:
        """One layer (n, y, x, C) at consecutive times of this rank's."""
        share = self.shares[self.rank]
        _, y, x, c = self.shape
        fields = np.empty((len(indices), y, x, c), np.float32)
        for band in self.bands:
            part = np.empty((len(indices), band.stop - band.start, x, c), np.float32)
            first = int(indices[0]) - share.start
            _read(self._own, part, self._offset(share, band, layer, first))
            fields[:, band] = part
        return fields

    def band(self, band: slice) -> Array:
        """All layers and times of a band of rows (L, n, rows, x, C)."""
        layers, _, x, c = self.shape
        n = self.shares[-1].stop
        fields = np.empty((layers, n, band.stop - band.start, x, c), np.float32)
        for file, share in zip(self._files, self.shares, strict=True):
            for layer in range(layers if share else 0):
                own = fields[layer, share.start : share.stop]
                _read(file, own, self._offset(share, band, layer, 0))
        return fields

    def _bytes(self, share: range) -> int:
        layers, y, x, c = self.shape
        return ITEM * layers * len(share) * y * x * c

    def _offset(self, share: range, band: slice, layer: int, sample: int) -> int:
        layers, _, x, c = self.shape
        rows = band.stop - band.start
        before = layers * len(share) * band.start + (layer * len(share) + sample) * rows
        return int(ITEM * before * x * c)


def _write(file: int, part: Array, offset: int) -> None:
    rest = part.reshape(-1).view(np.uint8).data
    while rest:
        written = os.pwrite(file, rest, offset)
        rest, offset = rest[written:], offset + written


def _read(file: int, part: Array, offset: int) -> None:
    rest = part.reshape(-1).view(np.uint8).data
    while rest:
        count = os.preadv(file, [rest], offset)
        if not count:
            raise OSError("a file of stored fields is shorter than it was")
        rest, offset = rest[count:], offset + count
