"""Fields that lie one after the other in a file, read by position.

They are not mapped: where a mapped file is cut short, or its disk fails, the reader is killed by
SIGBUS. A read ends in an error instead.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.arrays import Array, DType
from app.data.shards.manifest import AGAIN, set_aside
from app.errors import Damage, RunError
from app.integrity.blocks import blocks_of, first_difference
from app.integrity.checking import damage_line

WIDE = 16 << 10  # bytes of a row of cells from which on a narrow window is read row by row
NARROW = 8  # times that such a window goes into the row
BAND = 256 << 10  # bytes read at once where they are copied on: they stay in the CPU's cache


class ShardFile:
    """An open file; it is closed with the last array that reads from it.

    sums: checksums of its blocks, which are compared whenever something is read.
    """

    def __init__(self, path: Path, sums: Array | None = None) -> None:
        self.path, self._sums = path, sums
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 (it stays open)

    def fill(self, out: Array, position: int) -> None:
        """Read the bytes at a position into a contiguous array.

        RunError where they are gone, Damage where they have changed.
        """
        descriptor, done, size = self._file.fileno(), 0, out.nbytes
        try:
            if self._sums is not None:
                self._compare(self._sums, blocks_of(position, position + size))
            while done < size:
                rest = out.data.cast("B")[done:] if done else out.data
                count = os.preadv(descriptor, (rest,), position + done)
                if not count:
                    raise RunError(
                        f"{self.path}: was cut to {os.fstat(descriptor).st_size} bytes while it "
                        f"was in use, expected {position + size} or more; {AGAIN}"
                    )
                done += count
        except OSError as error:
            raise RunError(f"{self.path}: cannot be read any more ({error.strerror})") from error

    def _compare(self, sums: Array, blocks: range) -> None:
        byte = first_difference(self._file.fileno(), sums, blocks)
        if byte is not None:
            set_aside(self.path.parents[1])
            raise Damage(damage_line(self.path, byte))


class StoredField:
    """An array (n, y, x) that begins at `offset` of a file."""

    def __init__(self, file: ShardFile, dtype: DType, offset: int, shape: Sequence[int]) -> None:
        self._file, self._dtype, self._offset = file, dtype, offset
        self._shape = tuple(shape)
        self._item = dtype.itemsize
        self._row = self._item * self._shape[-1]  # bytes
        self._sample = self._row * self._shape[-2]

    def read_into(self, out: Array, sample: int, window: tuple[slice, slice] | None = None) -> None:
        """One sample, or the window of its rows and columns that `out` (y, x) has room for."""
        if not out.size:
            return
        y, x = self._shape[-2:]
        top, left, (height, width) = 0, 0, out.shape
        if window is not None:
            top, left = (part.indices(size)[0] for part, size in zip(window, (y, x), strict=True))
        start = self._offset + sample * self._sample + top * self._row
        if width == x and out.flags.c_contiguous:
            self._file.fill(out, start)
            return
        step = max(1, BAND // self._row)
        if self._row >= WIDE and width * NARROW <= x:
            start, step, x, left = start + left * self._item, 1, width, 0
        band = np.empty((min(step, height), x), self._dtype)
        for first in range(0, height, step):
            part = band[: height - first]
            self._file.fill(part, start + first * self._row)
            out[first : first + step] = part[:, left : left + width]

    def rows(self, rows: slice) -> Array:
        """All samples of some rows → (n, rows, x)."""
        n, y, x = self._shape
        first, end, _ = rows.indices(y)
        out = np.empty((n, end - first, x), self._dtype)
        if end - first == y:
            self._file.fill(out, self._offset)
            return out
        for sample in range(n):
            self.read_into(out[sample], sample, (slice(first, end), slice(0, x)))
        return out
