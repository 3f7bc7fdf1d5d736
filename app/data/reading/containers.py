"""What a file is, by its first bytes, before it is opened: its format, or what to do about it."""

from __future__ import annotations

import html
import json
import os
import re
import stat
import textwrap
import zipfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from app.arrays import Json
from app.data.reading.lengths import (
    DamagedHeader,
    Length,
    classic_length,
    grib_length,
    hdf5_length,
    hdf5_start,
)
from app.errors import InputError, one_line

NETCDF, ZARR, GRIB = "netcdf4", "zarr", "cfgrib"  # engines of xarray
OWN_ENGINES = {NETCDF, "h5netcdf", "scipy", ZARR, GRIB}  # that read what is told apart here
ZARR_METADATA = ("zarr.json", ".zgroup", ".zmetadata")
JSON_NAMES = (*ZARR_METADATA, ".zarray", ".zattrs")
MOST_METADATA, MOST_CHUNK = 16 << 20, 1 << 30  # bytes of a member of a ZIP archive, beyond which
MOST_EXPANDED = 100  # it may unpack to so many for each stored
HEAD = 4096  # bytes looked at
GRIB_MESSAGE = re.compile(rb"GRIB(?=....)", re.DOTALL)
GRIB_EDITIONS = (1, 2)  # in the eighth byte
NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
FOREIGN_LETTERS = 0.1  # share of a text in another coding that cannot be decoded
MARKUP = re.compile(r"<(script|style)\b.*?(</\1>|$)|<[^>]*(>|$)", re.DOTALL | re.IGNORECASE)
SHOWN_WORDS = 90  # characters of a text file that are shown
SHOWN_BYTES = 8
SHOWN_NAMES = 4
UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".crdownload", ".download", ".filepart")
EXTRA = "reading GRIB needs an extra: pip install 'finescale[grib]' (or uv sync --extra grib)"
DECOMPRESS = "decompress it and give the file that comes out"
CONVERT = "convert it to NetCDF"
NO_DATA = "expected NetCDF, Zarr or GRIB"
KNOWN = (  # first bytes, what it is, what to do
    (b"\x1f\x8b", "compressed with gzip", f"{DECOMPRESS} (gunzip, or tar -xzf for a .tar.gz)"),
    (b"\x1f\x9d", "compressed with compress", f"{DECOMPRESS} (gunzip)"),
    (b"BZh", "compressed with bzip2", f"{DECOMPRESS} (bunzip2)"),
    (b"\xfd7zXZ\x00", "compressed with xz", f"{DECOMPRESS} (unxz)"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", f"{DECOMPRESS} (unzstd)"),
    (b"\x04\x22\x4d\x18", "compressed with lz4", f"{DECOMPRESS} (unlz4)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it and give the files in it"),
    (b"Rar!", "a RAR archive", "unpack it and give the files in it"),
    (b"\x0e\x03\x13\x01", "HDF4", f"{CONVERT}, for example with h4tonccf"),
    (b"BUFR", "BUFR observations", f"{CONVERT}: gridded fields or stations"),
    (b"II*\x00", "a TIFF image", f"{CONVERT}, for example with gdal_translate -of netCDF"),
    (b"MM\x00*", "a TIFF image", f"{CONVERT}, for example with gdal_translate -of netCDF"),
    (b"II+\x00", "a TIFF image", f"{CONVERT}, for example with gdal_translate -of netCDF"),
    (b"\x93NUMPY", "a NumPy array", "write it as NetCDF, or give arrays with --data_module"),
    (b"PAR1", "a Parquet table", NO_DATA),
    (b"SQLite format 3", "an SQLite data base", NO_DATA),
    (b"%PDF", "a PDF document", NO_DATA),
    (b"\x89PNG", "a PNG image", NO_DATA),
    (b"\xff\xd8\xff", "a JPEG image", NO_DATA),
    (b"GIF8", "a GIF image", NO_DATA),
)


def engine_of(path: str, engine: str | None) -> str:
    """The engine of xarray that reads a local file or folder; `engine` is what the user asks for.

    Reads headers alone. Raises InputError, in one line, for what is no whole NetCDF, Zarr or
    GRIB; a file for an engine that is not among these is only looked at for being there.
    """
    try:
        other = None if engine in OWN_ENGINES else engine
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            if other is not None:
                return other
            refuse_missing_metadata(path)
            return _matching(ZARR, engine, path)
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path}: a pipe or device, expected a regular file")
        if not status.st_size:
            raise InputError(f"{path}: empty (0 bytes){_unfinished(path)}; {NO_DATA}")
        if other is not None:
            return other
        with open(path, "rb") as file:
            return _matching(_engine_by_content(file, path, status.st_size), engine, path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise InputError(f"{path}: cannot be read ({reason})") from error


def _matching(found: str, engine: str | None, path: str) -> str:
    """The engine asked for if it can read what was found."""
    if found == GRIB and not (find_spec("cfgrib") and find_spec("eccodes")):
        raise InputError(f"{path}: a GRIB file; {EXTRA}")
    if engine is None or engine == found:
        return found
    if found == NETCDF and engine in ("h5netcdf", "scipy"):
        return engine
    names = {NETCDF: "a NetCDF file", ZARR: "a Zarr store", GRIB: "a GRIB file"}
    raise InputError(f"{path}: {names[found]}, not for engine: {engine}; leave engine out")


def _engine_by_content(file: BinaryIO, path: str, size: int) -> str:
    head = file.read(HEAD)
    if head[:4] in (b"CDF\x01", b"CDF\x02", b"CDF\x05"):
        _refuse_short(path, "NetCDF-3", size, lambda: classic_length(file))
        return NETCDF
    if any(head[found.start() + 7] in GRIB_EDITIONS for found in GRIB_MESSAGE.finditer(head)):
        _refuse_short(path, "GRIB", size, lambda: grib_length(file))
        return GRIB
    start = hdf5_start(file, size)
    if start is not None:
        _refuse_short(path, "NetCDF-4 (HDF5)", size, lambda: hdf5_length(file, start))
        return NETCDF
    if head.startswith(b"PK"):
        _refuse_archive(path)
        return ZARR
    raise InputError(f"{path}: {_described(head)}{_unfinished(path)}")


def _refuse_short(path: str, name: str, size: int, length: Callable[[], Length]) -> None:
    try:
        expected = length()
    except DamagedHeader as error:
        raise InputError(
            f"{path}: a {name} file with a damaged header ({error}){_unfinished(path)}; "
            f"it has {size:,} bytes, get it again"
        ) from error
    if size < expected.needed:
        raise InputError(
            f"{path}: a {name} file that is not downloaded or copied whole{_unfinished(path)}: "
            f"it has {size:,} bytes, its header says {expected.needed:,}; get it again"
        )
    if expected.flaw:
        raise InputError(f"{path}: a {name} file {expected.flaw}")


def _refuse_archive(path: str) -> None:
    """InputError for all ZIP archives but a Zarr store at the archive's own root."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            names = [one.filename for one in members]
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise InputError(
            f"{path}: a ZIP archive that is damaged or not downloaded or copied whole; get it again"
        ) from error
    if not set(names) & set(ZARR_METADATA):
        raise InputError(
            f"{path}: a ZIP archive of {_some(names)}; unzip it and give the files in it"
        )
    for member in members:
        _refuse_odd_member(path, member)


def _refuse_odd_member(path: str, member: zipfile.ZipInfo) -> None:
    """InputError for what leads out of an archive, is a link, or unpacks to far more."""
    name, size = member.filename, member.file_size
    if name.startswith("/") or ".." in name.split("/") or "\\" in name:
        raise InputError(f"{path}: a ZIP archive with {name!r} in it, which leads out of it")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise InputError(f"{path}: a ZIP archive with the symbolic link {name!r} in it")
    most = MOST_METADATA if name.rpartition("/")[2] in JSON_NAMES else MOST_CHUNK
    if size > most and size > MOST_EXPANDED * member.compress_size:
        raise InputError(
            f"{path}: a ZIP archive in which {name!r} would unpack from "
            f"{member.compress_size:,} to {size:,} bytes"
        )


def refuse_missing_metadata(folder: str) -> None:
    """InputError for folders that are no Zarr store of named variables."""
    names = os.listdir(folder)
    if set(names) & set(ZARR_METADATA):
        return
    if ".zarray" in names:
        raise InputError(f"{folder}: a single Zarr array, expected a store of named variables")
    files = sorted(name for name in names if not name.startswith("."))
    raise InputError(
        f"{folder}: a folder without the metadata of a Zarr store ({', '.join(ZARR_METADATA)}); "
        f"it holds {_some(files)}. Give its files as {os.path.join(folder, '*.nc')}"
    )


def zarr_warnings(folder: str) -> list[str]:
    """What is suspicious about a Zarr store, one line each; it may be read all the same.

    A field of which no chunk is there is all fill value; a variable without metadata is not seen.
    """
    warnings = []
    arrays = _consolidated(folder)
    folders = {entry.name for entry in os.scandir(folder) if entry.is_dir()}
    for name in sorted({name for name in folders if not name.startswith(".")} | set(arrays)):
        own = os.path.join(folder, name)
        metadata = arrays.get(name) or _array_metadata(own)
        if metadata is None:
            warnings.append(f"{folder}: {name} has no metadata (.zarray, zarr.json); not read")
        elif len(metadata.get("shape", ())) > 1 and not (name in folders and _has_chunks(own)):
            fill = metadata.get("fill_value")
            warnings.append(
                f"{folder}: no chunk of {name} is there, so that all its values read as the "
                f"fill value {fill}; is the store copied whole?"
            )
    return warnings


def _consolidated(folder: str) -> dict[str, Json]:
    """Metadata of the arrays by name, as far as the store keeps them in one place."""
    old = _json(os.path.join(folder, ".zmetadata")).get("metadata", {})
    new = (_json(os.path.join(folder, "zarr.json")).get("consolidated_metadata") or {}).get(
        "metadata", {}
    )
    named = {key.removesuffix("/.zarray"): value for key, value in {**old, **new}.items()}
    return {key: value for key, value in named.items() if "shape" in value and "/" not in key}


def _array_metadata(folder: str) -> Json | None:
    """Of the array in a folder; empty for a group, None where there is no metadata."""
    for name in ("zarr.json", ".zarray"):
        if os.path.isfile(os.path.join(folder, name)):
            return _json(os.path.join(folder, name))
    is_group = any(os.path.isfile(os.path.join(folder, name)) for name in ZARR_METADATA)
    return {} if is_group else None


def _json(path: str) -> Json:
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _has_chunks(folder: str) -> bool:
    with os.scandir(folder) as entries:
        return any(entry.name != "zarr.json" and entry.name[0] != "." for entry in entries)


def _described(head: bytes) -> str:
    """What a file is that cannot be read, and what to do about it."""
    for magic, name, advice in KNOWN:
        if head.startswith(magic):
            return f"{name}; {advice}"
    if head[257:262] == b"ustar":
        return "a tar archive; unpack it (tar -xf) and give the files in it"
    if not head.strip(b"\0"):
        return f"begins with {len(head)} zero bytes: not downloaded or copied whole; get it again"
    text = _text(head)
    if text is not None:
        return _described_text(text)
    first = head[:SHOWN_BYTES].hex(" ")
    if head[:SHOWN_BYTES].isascii() and head[:SHOWN_BYTES].decode().isprintable():
        first += f", {head[:SHOWN_BYTES].decode()!r}"
    return f"no format that is known here (its first bytes are {first}); {NO_DATA}"


def _text(head: bytes) -> str | None:
    """The beginning of a text file; None for anything else."""
    coding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    text = head.decode(coding, errors="replace")
    is_text = not NO_TEXT.search(text) and text.count("\ufffd") <= len(text) * FOREIGN_LETTERS
    return text if is_text else None


def _described_text(text: str) -> str:
    plain = text.lstrip("\ufeff \t\r\n")
    if plain.startswith("version https://git-lfs"):
        return "a pointer of Git LFS, not the file itself; run git lfs pull"
    if plain.startswith("netcdf "):
        return f"the text form of a NetCDF file (CDL); {CONVERT} with ncgen"
    if re.match(r"<!doctype html|<html", plain, re.IGNORECASE):
        name, plain = "an HTML page", MARKUP.sub(" ", plain)
    elif plain.startswith("<"):
        name, plain = "an XML document", MARKUP.sub(" ", plain)
    else:
        name = "JSON text" if plain[:1] in ("{", "[") else "plain text"
    words = textwrap.shorten(html.unescape(plain), SHOWN_WORDS, placeholder=" …")
    return (
        f"{name}, not data: “{words}”; where it was downloaded, the server may have answered with "
        f"an error or a login page; {NO_DATA}"
    )


def _unfinished(path: str) -> str:
    return " (by its name unfinished)" if path.lower().endswith(UNFINISHED) else ""


def _some(names: Sequence[str]) -> str:
    if not names:
        return "nothing"
    shown = ", ".join(names[:SHOWN_NAMES]) + (", …" if len(names) > SHOWN_NAMES else "")
    return f"{len(names)} file{'s'[: len(names) > 1]} ({shown})"
