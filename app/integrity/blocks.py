"""Checksums of files by block: CRC-32C, which processors compute faster than disks read."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from pathlib import Path

import google_crc32c
import numpy as np

from app.arrays import Array

BLOCK = 256 << 10  # bytes
SUM_TYPE = np.dtype("<u4")


def crc(content: bytes, before: int = 0) -> int:
    """CRC-32C of bytes that follow others, whose CRC is `before`."""
    result: int = google_crc32c.extend(before, content)
    return result


def crc_of(content: memoryview) -> int:
    """CRC-32C of what is in memory, without a copy of it all."""
    total = 0
    for start in range(0, len(content), BLOCK):
        total = crc(bytes(content[start : start + BLOCK]), total)
    return total


def file_crc(path: Path) -> int:
    """CRC-32C of a whole file."""
    total = 0
    with path.open("rb", buffering=0) as file:
        while content := file.read(BLOCK):
            total = crc(content, total)
    return total


def encoded(sums: Sequence[int]) -> str:
    """Checksums as text."""
    return base64.b64encode(np.array(sums, SUM_TYPE).tobytes()).decode("ascii")


def decoded(text: str) -> Array:
    """(n,) checksums from text; ValueError where it is no such text."""
    return np.frombuffer(base64.b64decode(text, validate=True), SUM_TYPE)


def first_difference(file: int, sums: Array, blocks: range | None = None) -> int | None:
    """Byte at which the first block begins that is not as it was; None where all are.

    file: an open file's descriptor. blocks: which ones are looked at, all by default.
    """
    for number in range(len(sums)) if blocks is None else blocks:
        if crc(os.pread(file, BLOCK, number * BLOCK)) != sums[number]:
            return number * BLOCK
    return None


def first_damage(path: Path, sums: Array) -> int | None:
    """Likewise of a whole file; OSError where it cannot be read."""
    with path.open("rb", buffering=0) as file:
        return first_difference(file.fileno(), sums)


def blocks_of(first: int, end: int) -> range:
    """The blocks that hold the bytes from `first` up to `end`."""
    return range(first // BLOCK, -(-end // BLOCK))
