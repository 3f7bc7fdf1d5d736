"""manifest.json of prepared data: what it holds, and whether the folder is as it says."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NotRequired

from absl import logging
from typing_extensions import TypedDict  # which pydantic needs before Python 3.12

from app.arrays import Array, Json
from app.data.shards.files import checksum
from app.errors import InputError
from app.integrity.blocks import decoded, first_damage
from app.integrity.records import read_record

MANIFEST = "manifest.json"
SCALING_FILE = "scaling.nc"
STATIC_FILE = "static.nc"
READ_WHOLE = (SCALING_FILE, STATIC_FILE)  # when the folder is opened
FORMAT = 2
# How fields in time are written: first with times as whole numbers, then as CF-1.8 has them.
FIRST_LAYOUT, LAYOUT = 1, 2
AGAIN = "the same command prepares it again"


class FileEntry(TypedDict):
    """A file's size and checksums; `blocks` is missing in folders from before there were any."""

    bytes: int
    sha256: str
    blocks: NotRequired[str]


class ShardEntry(TypedDict):
    """A file of one role and split: its times, and the byte at which each array begins."""

    file: str
    rows: int
    offsets: dict[str, int]


class Manifest(TypedDict):
    """All that is known of a folder of prepared data."""

    format: int
    fingerprint: str
    explicit: bool
    coarse_predictand: NotRequired[bool]
    has_times: bool
    layout: NotRequired[int]
    task: NotRequired[str]
    calendar: str
    geometry: Json
    source_grid: Json | None
    origins: list[str]
    meanings: dict[str, dict[str, Json]]
    variables: dict[str, list[Json]]
    shapes: dict[str, list[int]]
    splits: dict[str, dict[str, list[ShardEntry]]]
    files: dict[str, FileEntry]
    findings: list[str]


def read_manifest(folder: Path) -> Manifest:
    """InputError where there is none, it is damaged, or of another format."""
    path = folder / MANIFEST
    content = read_record(path, dict, AGAIN)
    if content is None:
        raise InputError(f"{folder}: no prepared data there ({MANIFEST} is missing)")
    if content.get("format") != FORMAT:
        raise InputError(
            f"{path}: format {content.get('format')}, expected {FORMAT}; prepare again"
        )
    found = read_record(path, Manifest, AGAIN)
    assert found is not None
    return found


def task_of(manifest: Manifest) -> str:
    """What the data were prepared for; the scale tells in folders from before it was kept."""
    in_time = manifest["geometry"]["scale"] == 1
    return manifest.get("task", "time" if in_time else "space")


def check_sizes(folder: Path, files: dict[str, FileEntry]) -> None:
    """InputError where a file is missing or has another size than it should."""
    for name, entry in files.items():
        path = folder / name
        size = path.stat().st_size if path.is_file() else -1
        if size != entry["bytes"]:
            state = f"has {size} bytes" if size >= 0 else "is missing"
            raise InputError(f"{path}: {state}, expected {entry['bytes']} bytes; {AGAIN}")


def check_content(folder: Path, name: str, entry: FileEntry) -> None:
    """InputError where a file's content is not what it was when it was written."""
    path = folder / name
    if "blocks" not in entry:
        if checksum(path) != entry["sha256"]:
            raise InputError(f"{path}: damaged, its checksum differs; {AGAIN}")
        return
    byte = first_damage(path, sums_of(entry))
    if byte is not None:
        raise InputError(f"{path}: damaged, its checksum differs at byte {byte}; {AGAIN}")


def sums_of(entry: FileEntry) -> Array:
    """Checksums of a file's blocks; InputError where they are no such list."""
    try:
        return decoded(entry["blocks"])
    except ValueError as error:
        raise InputError(f"{MANIFEST}: damaged, no checksums of blocks; {AGAIN}") from error


def check_folder(folder: Path) -> Manifest:
    """The manifest of a folder that is whole, as far as it is read when it is opened.

    InputError names what is damaged. The blocks of the fields are compared while they are used.
    """
    manifest = read_manifest(folder)
    check_sizes(folder, manifest["files"])
    for name in READ_WHOLE:
        check_content(folder, name, manifest["files"][name])
    return manifest


def finished(folder: Path) -> bool:
    """Whether prepared data are there, whole as far as `check_folder` looks."""
    try:
        return (folder / MANIFEST).is_file() and bool(check_folder(folder))
    except (InputError, KeyError):
        return False


def set_aside_damaged(folder: Path) -> None:
    """Where a folder is damaged, say so and take its manifest away: it is then prepared again."""
    if not (folder / MANIFEST).is_file():
        return
    try:
        check_folder(folder)
    except (InputError, KeyError) as error:
        logging.warning("%s", error)
        set_aside(folder)


def set_aside(folder: Path) -> None:
    """Take the manifest of a damaged folder away, so that the data are prepared again."""
    with contextlib.suppress(OSError):
        (folder / MANIFEST).replace(folder / f"{MANIFEST}.damaged")
