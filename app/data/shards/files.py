"""Files as the manifest knows them: where their arrays begin, how long they are, their sums."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import h5py

from app.arrays import Json
from app.integrity.blocks import BLOCK, crc, encoded


def offsets(path: Path, names: Sequence[str]) -> dict[str, int]:
    """Byte offset of each contiguous array in the file."""
    with h5py.File(path, "r") as file:
        return {name: int(file[name].id.get_offset()) for name in names}


def seal(path: Path) -> Json:
    """Force a file to disk; its size, its sha256, and the checksums of its blocks."""
    digest, sums = hashlib.sha256(), []
    with path.open("rb") as file:
        os.fsync(file.fileno())
        while block := file.read(BLOCK):
            digest.update(block)
            sums.append(crc(block))
    return {
        "bytes": path.stat().st_size,
        "sha256": digest.hexdigest(),
        "blocks": encoded(sums),
    }


def checksum(path: Path) -> str:
    """sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
