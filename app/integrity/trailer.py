"""A file's checksum behind its last byte, where no reader of NetCDF looks.

It is compared before a library opens the file: a damaged HDF5 file can crash the library. Programs
that write the file anew leave the trailer out, and such a file is not judged.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

from app.integrity.blocks import BLOCK, crc

MAGIC = b"\nfinescale CRC-32C\n"
NUMBERS = struct.Struct("<QI")  # length in bytes, checksum
SIZE = len(MAGIC) + NUMBERS.size


def seal(path: Path) -> None:
    """Append the checksum of a file that is complete."""
    with path.open("r+b", buffering=0) as file:
        length = os.fstat(file.fileno()).st_size
        trailer = MAGIC + NUMBERS.pack(length, _crc(file, length))
        if os.pwrite(file.fileno(), trailer, length) < SIZE:
            raise OSError(28, "No space left on device", str(path))


def is_sealed(path: Path) -> bool:
    """Whether a file ends in such a checksum."""
    try:
        with path.open("rb", buffering=0) as file:
            return _trailer(file) is not None
    except OSError:
        return False


def damage(path: Path) -> str | None:
    """What is wrong with a sealed file, in a few words; None where all is as it was written.

    None, too, for a file without a checksum.
    """
    try:
        with path.open("rb", buffering=0) as file:
            numbers = _trailer(file)
            if numbers is None:
                return None
            length, expected = numbers
            whole = os.fstat(file.fileno()).st_size == length + SIZE
            same = whole and _crc(file, length) == expected
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    return None if same else "its checksum differs"


def _trailer(file: BinaryIO) -> tuple[int, int] | None:
    size = os.fstat(file.fileno()).st_size
    found = os.pread(file.fileno(), SIZE, max(0, size - SIZE))
    if len(found) < SIZE or not found.startswith(MAGIC):
        return None
    return NUMBERS.unpack(found[len(MAGIC) :])


def _crc(file: BinaryIO, length: int) -> int:
    total = 0
    for start in range(0, length, BLOCK):
        content = os.pread(file.fileno(), min(BLOCK, length - start), start)
        total = crc(content, total)
    return total
