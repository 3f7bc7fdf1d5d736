"""The checksum of fields in time, row by row, so that a file being written has one too."""

from __future__ import annotations

from collections.abc import Sequence

import netCDF4
import numpy as np

from app.arrays import Array
from app.integrity.blocks import crc

READ_BYTES = 8 << 20  # read at once


def rows_crc(fields: Sequence[Array], before: int = 0) -> int:
    """Checksum of rows of fields (…, n, y, x) that follow others, whose checksum is `before`."""
    for row in range(fields[0].shape[-3] if fields else 0):
        for field in fields:
            before = crc(np.ascontiguousarray(field[..., row, :, :]).tobytes(), before)
    return before


def written_crc(file: netCDF4.Dataset, names: Sequence[str], rows: int) -> int:
    """Checksum of the first rows of some variables (…, time, y, x) in an open file."""
    file.set_auto_maskandscale(False)
    fields, total = [file[name] for name in names], 0
    row_bytes = sum(field[..., :1, :, :].nbytes for field in fields) if rows else 1
    step = max(1, READ_BYTES // max(1, row_bytes))
    for first in range(0, rows, step):
        part = slice(first, min(first + step, rows))
        total = rows_crc([field[..., part, :, :] for field in fields], total)
    return total
