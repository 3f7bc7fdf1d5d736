"""Input files: globs, opening with xarray, and what tells that a file has changed."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import xarray as xr

from app.errors import InputError, one_line

WILDCARDS = frozenset("*?[")
REMOTE = "://"


def expand(patterns: Iterable[str]) -> list[str]:
    """Paths behind files and globs, in order; InputError for any that leads to none."""
    paths: list[str] = []
    for pattern in patterns:
        if REMOTE in pattern or Path(pattern).exists():
            paths.append(pattern)
            continue
        found = sorted(glob.glob(pattern, recursive=True)) if WILDCARDS & set(pattern) else []
        if not found:
            expected = "no file matches" if WILDCARDS & set(pattern) else "no such file"
            raise InputError(f"{pattern}: {expected}")
        paths += found
    return paths


def open_lazily(path: str, engine: str | None) -> xr.Dataset:
    """A dataset whose values are read when indexed and kept nowhere; InputError if unreadable."""
    try:
        return xr.open_dataset(
            path, engine=engine, cache=False, decode_timedelta=False, decode_coords="all"
        )
    except Exception as error:
        raise InputError(f"{path}: cannot be read as NetCDF or Zarr ({one_line(error)})") from error


def identity(path: str) -> list[Any]:
    """Path, bytes and modification time (ns); for a folder (Zarr), of all files in it."""
    if REMOTE in path:
        return [path]
    root = Path(path).resolve()
    stats = [part.stat() for part in root.rglob("*") if part.is_file()] if root.is_dir() else []
    stats = stats or [root.stat()]
    return [str(root), sum(s.st_size for s in stats), max(s.st_mtime_ns for s in stats)]
