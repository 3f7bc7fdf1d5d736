"""How long a file has to be, after its own headers: what a broken download falls short of.

Formats: the NetCDF classic format (CDF-1, CDF-2, CDF-5), where the library reads zeros beyond the
end of a file; the superblock of HDF5, versions 0 to 3; the sections of GRIB, editions 1 and 2,
where contradicting lengths can make the library crash.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

STREAMED = (
    "whose header leaves the number of records open (it was streamed, or is still being "
    "written); write it again with their number"
)
UNCLOSED = (
    "that is still being written, or whose writer ended without closing it; wait, or if nothing "
    "writes to it any more, run h5clear -s on it"
)
OPENED = 1  # flag of a file that is open for writing, in a superblock of version 3
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
USER_BLOCK = 512  # bytes; the signature of HDF5 stands at 0, or at this times a power of two
DIMENSION, VARIABLE, ATTRIBUTE = 10, 11, 12  # tags of the lists in a classic header
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}  # by type number
GRIB_START, GRIB_END = b"GRIB", b"7777"
GRIB1_LARGE = 1 << 23  # in a length of GRIB 1: counted in another unit
GRIB1_SECTIONS = (0x80, 0x40)  # flags of the sections that may be left out: grid and bitmap
CHUNK = 1 << 16  # bytes searched at a time for the next message
ALIGNMENT = 4  # bytes, of names, attributes and variables


class DamagedHeader(Exception):
    """A header that contradicts its format, or ends before it is complete."""


@dataclass(frozen=True)
class Length:
    """Bytes that a file needs, and in words why even a file of that length cannot be read."""

    needed: int
    flaw: str = ""


def classic_length(file: BinaryIO) -> Length:
    """Bytes up to the end of the last value; padding behind it may be missing.

    Raises DamagedHeader.
    """
    return _ClassicHeader(file).length()


class _ClassicHeader:
    """Reads a classic header field by field, big-endian, from the beginning of the file."""

    def __init__(self, file: BinaryIO) -> None:
        self._size = file.seek(0, 2)
        file.seek(0)
        self._file = file
        version = self._bytes(4)[3]
        self._count_format = ">Q" if version == 5 else ">I"
        self._offset_format = ">I" if version == 1 else ">Q"

    def length(self) -> Length:
        records = self._count()
        streamed = records == 256 ** struct.calcsize(self._count_format) - 1
        dimensions = [self._dimension() for _ in range(self._list(DIMENSION))]
        self._skip_attributes()
        variables = [self._variable(dimensions) for _ in range(self._list(VARIABLE))]
        ends = [self._file.tell()]
        ends += [begin + size for begin, size, varies in variables if not varies and size]
        varying = [(begin, size) for begin, size, varies in variables if varies and size]
        if varying and records and not streamed:
            # A single record variable is not padded from record to record.
            step = varying[0][1] if len(varying) == 1 else sum(_padded(s) for _, s in varying)
            ends += [begin + (records - 1) * step + size for begin, size in varying]
        return Length(max(ends), STREAMED if streamed and varying else "")

    def _bytes(self, number: int) -> bytes:
        content = self._file.read(number)
        if len(content) < number:
            raise DamagedHeader("the file ends within its header")
        return content

    def _number(self, code: str) -> int:
        return int(struct.unpack(code, self._bytes(struct.calcsize(code)))[0])

    def _count(self) -> int:
        return self._number(self._count_format)

    def _list(self, tag: int) -> int:
        """Entries of a list that begins here; 0 for a list left out."""
        found, entries = self._number(">I"), self._count()
        if found not in (0, tag) or (found == 0 and entries):
            raise DamagedHeader(f"tag {found} where a list with tag {tag} should begin")
        return entries

    def _skip(self, number: int) -> None:
        end = self._file.tell() + _padded(number)
        if end > self._size:
            raise DamagedHeader("the file ends within its header")
        self._file.seek(end)

    def _dimension(self) -> int:
        self._skip(self._count())
        return self._count()

    def _skip_attributes(self) -> None:
        for _ in range(self._list(ATTRIBUTE)):
            self._skip(self._count())
            self._skip(self._type_bytes() * self._count())

    def _type_bytes(self) -> int:
        number = self._number(">I")
        if number not in TYPE_BYTES:
            raise DamagedHeader(f"a type {number}, which there is not")
        return TYPE_BYTES[number]

    def _variable(self, dimensions: list[int]) -> tuple[int, int, bool]:
        """Where it begins, its bytes (of one record if it varies by record), and whether."""
        self._skip(self._count())
        shape = []
        for _ in range(self._count()):
            number = self._count()
            if number >= len(dimensions):
                raise DamagedHeader(f"dimension {number} of {len(dimensions)}")
            shape.append(dimensions[number])
        self._skip_attributes()
        size = self._type_bytes()
        self._count()  # the size as stored overflows for large variables
        varies = bool(shape) and shape[0] == 0
        for length in shape[1:] if varies else shape:
            size *= length
        return self._number(self._offset_format), size, varies


def _padded(number: int) -> int:
    return -(-number // ALIGNMENT) * ALIGNMENT


def hdf5_start(file: BinaryIO, size: int) -> int | None:
    """Where the signature of HDF5 stands in a file of `size` bytes; None if nowhere."""
    start = 0
    while start < size:
        file.seek(start)
        if file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE:
            return start
        start = 2 * start or USER_BLOCK
    return None


def hdf5_length(file: BinaryIO, start: int) -> Length:
    """Bytes up to the end that the superblock at `start` names.  Raises DamagedHeader."""
    file.seek(start)
    block = file.read(128)
    try:
        version = block[8]
        width = block[9 if version >= 2 else 13]
        first = {0: 24, 1: 28}.get(version, 12)
        base, _, end = (
            int.from_bytes(block[first + i * width :][:width], "little") for i in range(3)
        )
    except IndexError as error:
        raise DamagedHeader("the file ends within its header") from error
    if version > 3 or width not in (2, 4, 8):
        raise DamagedHeader(f"a superblock of version {version} with addresses of {width} bytes")
    if len(block) < first + 3 * width:
        raise DamagedHeader("the file ends within its header")
    opened = version == 3 and block[11] & OPENED
    return Length(end - base + start, UNCLOSED if opened else "")


def grib_length(file: BinaryIO) -> Length:
    """Bytes up to the end of the last message, whose sections fit into each of them.

    Raises DamagedHeader.
    """
    size = file.seek(0, 2)
    needed = 0
    while (start := _next_message(file, needed)) is not None:
        file.seek(start)
        head = file.read(16)
        if len(head) < 16:
            return Length(start + 16)
        edition = head[7]
        length = int.from_bytes(head[8:16] if edition == 2 else head[4:7], "big")
        if edition == 1 and length & GRIB1_LARGE:
            return Length(needed)
        needed = start + length
        if needed > size:
            return Length(needed)
        lengths = _sections_2 if edition == 2 else _sections_1
        if not lengths(file, start, needed):
            raise DamagedHeader(f"the message at byte {start:,} has sections that do not fit in")
    return Length(needed)


def _next_message(file: BinaryIO, position: int) -> int | None:
    """Where the next message of edition 1 or 2 begins, if only with its first bytes."""
    bytes_read = len(GRIB_START) + 4  # most messages follow each other at once
    while True:
        file.seek(position)
        content = file.read(bytes_read)
        found = content.find(GRIB_START)
        if found >= 0 and content[found + 7 : found + 8] in (b"", b"\1", b"\2"):
            return position + found
        if content and GRIB_START.startswith(content):
            return position
        if len(content) < bytes_read:
            return None
        position += found + 1 if found >= 0 else bytes_read - 7
        bytes_read = CHUNK


def _sections_2(file: BinaryIO, start: int, end: int) -> bool:
    position = start + 16
    while position + 4 < end:
        file.seek(position)
        head = file.read(5)
        length = int.from_bytes(head[:4], "big")
        if length < 5 or not 1 <= head[4] <= 7:
            return False
        position += length
    file.seek(position)
    return position + 4 == end and file.read(4) == GRIB_END


def _sections_1(file: BinaryIO, start: int, end: int) -> bool:
    file.seek(start + 8)
    head = file.read(8)
    if len(head) < 8:
        return False
    position = start + 8 + int.from_bytes(head[:3], "big")
    for _ in range(1 + sum(1 for flag in GRIB1_SECTIONS if head[7] & flag)):
        file.seek(position)
        position += int.from_bytes(file.read(3), "big")
    file.seek(position)
    return position + 4 == end and file.read(4) == GRIB_END
