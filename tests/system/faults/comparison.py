"""Whether two runs have the same results, bit for bit, and the same files."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import xarray as xr

OF_ITS_TIME = ("history", "model_sha256")  # attributes that tell when or from which archive
TIMINGS = ("seconds", "samples_per_s", "created")  # columns
STEP = re.compile(r"step-\d+\+*")


def different(ours: Path, theirs: Path) -> tuple[str, ...]:
    """Results in a folder that are missing or not those of another one, by their names."""
    names = [name for name in _files(theirs) if _is_result(name)]
    assert names, f"{theirs} has no results"
    return tuple(name for name in names if not _same(name, ours / name, theirs / name))


def left(ours: Path, theirs: Path) -> tuple[str, ...]:
    """Files and folders that another folder does not have, checkpoints by their number."""
    here, there = _entries(ours), _entries(theirs)
    return tuple(name for name in here if here[name] > there.get(name, 0))


def _entries(folder: Path) -> dict[str, int]:
    """How many there are of each name, the steps of checkpoints left out."""
    found: dict[str, int] = {}
    for path in sorted(folder.rglob("*")):
        name = STEP.sub("step-N", path.relative_to(folder).as_posix())
        found[name] = found.get(name, 0) + 1
    return found


def _files(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def _is_result(name: str) -> bool:
    return name.endswith((".keras", ".nc", ".csv"))


def _same(name: str, ours: Path, theirs: Path) -> bool:
    if not ours.is_file():
        return False
    if name.endswith(".keras"):
        return _same_arrays(_weights(ours), _weights(theirs))
    if name.endswith("y_hat.nc"):
        with xr.open_dataset(ours) as one, xr.open_dataset(theirs) as other:
            return _untimed(one).identical(_untimed(other))
    if name.endswith(".csv"):
        return _rows(ours) == _rows(theirs)
    return ours.read_bytes() == theirs.read_bytes()


def _rows(path: Path) -> list[dict[str, str]]:
    """Rows of a table without the columns that tell how long something took."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if k not in TIMINGS} for row in rows]


def _untimed(data: xr.Dataset) -> xr.Dataset:
    data.load().attrs = {k: v for k, v in data.attrs.items() if k not in OF_ITS_TIME}
    return data


def _same_arrays(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def _weights(path: Path) -> dict[str, np.ndarray]:
    """Arrays of a saved model, read without Keras; those of random generators left out."""
    found: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(path) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()]})
                if isinstance(item, h5py.Dataset) and item.dtype.kind == "f"
                else None
            )
        )
    assert found
    return found
