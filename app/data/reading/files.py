"""Input files: opening with xarray, and what tells that a file has changed."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from absl import logging

from app.arrays import Json
from app.data.reading.containers import GRIB, ZARR, engine_of, zarr_warnings
from app.data.reading.grib import open_messages
from app.data.reading.paths import REMOTE
from app.errors import InputError, one_line

SAMPLES, SAMPLE_BYTES = 16, 4096  # of a large file's content, or of a folder's files
READ_WHOLE = 1 << 20  # bytes of a file up to which all of its content counts
UNDECODED: Json = {"cache": False, "decode_cf": False}
STORED: Json = {
    "mask_and_scale": False,
    "decode_times": False,
    "decode_timedelta": False,
    "decode_coords": "all",
}
TEXTS = {
    "units", "standard_name", "long_name", "axis", "positive", "calendar", "bounds", "climatology",
    "cell_methods", "coordinates", "grid_mapping", "ancillary_variables", "cell_measures",
    "formula_terms",
}  # fmt: skip


def is_zarr(dataset: xr.Dataset) -> bool:
    """Whether an opened dataset is a Zarr store."""
    return any("compressors" in variable.encoding for variable in dataset.variables.values())


def _without_zarr_defaults(dataset: xr.Dataset, store: Any, path: str | None = None) -> xr.Dataset:
    """A fill value of 0 that stands in Zarr's own metadata alone is Zarr's default, and a value.

    Version 2 keeps the missing value that xarray writes in the same place.
    """
    zeros = [
        name
        for name, variable in dataset.variables.items()
        if (fill := variable.attrs.get("_FillValue")) is not None
        and np.ndim(fill) == 0
        and fill == 0
    ]
    if not zeros:
        return dataset
    import zarr

    group = zarr.open_group(store, path=path, mode="r")
    for name in zeros:
        if "_FillValue" not in group[str(name)].attrs:
            del dataset.variables[name].attrs["_FillValue"]
    return dataset


def with_coordinates(dataset: xr.Dataset) -> xr.Dataset:
    """A dataset opened undecoded, with what its attributes name as coordinates being such.

    Attributes that are texts by their meaning become texts, whatever type the file has.
    """
    for variable in dataset.variables.values():
        for name in TEXTS & variable.attrs.keys():
            if not isinstance(value := variable.attrs[name], str):
                variable.attrs[name] = " ".join(_text(part) for part in np.ravel(value))
    return xr.decode_cf(dataset, **STORED)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def open_lazily(path: str, engine: str | None) -> xr.Dataset:
    """A dataset of stored numbers, read when indexed and kept nowhere.

    Nothing is masked, unpacked or decoded to dates: `decoding` and `time_coordinates` do that.

    What a local file is, and whether it is whole, is told by its content before it is opened.
    InputError, in one line, if it cannot be read.
    """
    if engine is not None and engine != GRIB and engine not in xr.backends.list_engines():
        there = ", ".join(name for name in xr.backends.list_engines() if name != "store")
        raise InputError(f"{path}: engine: {engine} is not installed; there are: {there}")
    if REMOTE not in path:
        engine = engine_of(path, engine)
    elif engine == GRIB:
        raise InputError(f"{path}: GRIB is read from local files alone; download it first")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of slow metadata, of folders within a store
            if engine == GRIB:
                return open_messages(path)
            store = _store(path, engine)
            dataset = with_coordinates(xr.open_dataset(store, engine=engine, **UNDECODED))
            return _without_zarr_defaults(dataset, store) if is_zarr(dataset) else dataset
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path}: {_why_unreadable(path, engine, error)}") from error


def open_groups(path: str) -> dict[str, xr.Dataset]:
    """The datasets of all groups of a local file, as `open_lazily` has that of the root."""
    engine = engine_of(path, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        groups = xr.open_groups(path, engine=engine, **UNDECODED)
        datasets = {name: with_coordinates(dataset) for name, dataset in groups.items()}
        return {
            name: _without_zarr_defaults(d, path, name.strip("/")) if is_zarr(d) else d
            for name, d in datasets.items()
        }


def _why_unreadable(path: str, engine: str | None, error: Exception) -> str:
    if REMOTE not in path:
        name = {ZARR: "Zarr", GRIB: "GRIB"}.get(str(engine), "NetCDF")
        if engine == ZARR and "variable dimensions" in str(error):
            return "its arrays do not name their dimensions; expected a store as xarray writes it"
        return f"cannot be read as {name}, the file may be damaged ({one_line(error)})"
    return (
        f"cannot be read ({one_line(error)}); expected the address of a Zarr store or of an "
        "OPeNDAP service; download other files first"
    )


def _store(path: str, engine: str | None) -> Any:
    """What xarray opens: a path, or a Zarr store within a ZIP archive."""
    if engine != ZARR or REMOTE in path:
        return path
    if Path(path).is_file():
        from zarr.storage import ZipStore

        return ZipStore(path, mode="r")
    for line in zarr_warnings(path):
        logging.warning("%s", line)
    return path


def identity(path: str) -> list[Any]:
    """Path, bytes, modification time (ns) and a sample of the content; for a folder (Zarr), of all
    files in it, the sample of some.

    The sample tells a file that was put back with the size and time of another.
    """
    if REMOTE in path:
        return [path]
    root = Path(path).resolve()
    parts = sorted(part for part in root.rglob("*") if part.is_file()) if root.is_dir() else []
    parts = parts or [root]
    stats = [part.stat() for part in parts]
    sample = hashlib.blake2b(digest_size=16)
    for part in _spread([part for part in parts if part.is_file()]):
        sample.update(_sampled(part))
    size, time = sum(s.st_size for s in stats), max(s.st_mtime_ns for s in stats)
    return [str(root), size, time, sample.hexdigest()]


def _spread(items: Sequence[Any]) -> list[Any]:
    """Some of many, from the first to the last."""
    last, count = len(items) - 1, min(len(items), SAMPLES)
    return [items[last * k // max(1, count - 1)] for k in range(count)]


def _sampled(path: Path) -> bytes:
    """All of a small file, of a large one blocks spread over its length."""
    blocks = []
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= READ_WHOLE:
                return file.read()
            for start in _spread(range(0, size, SAMPLE_BYTES)):
                file.seek(start)
                blocks.append(file.read(SAMPLE_BYTES))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    return b"".join(blocks)
