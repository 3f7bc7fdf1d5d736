"""How fast shards stream in random order, against reading the same records with netCDF4.

    python scripts/bench_stream.py [--records=4000] [--runs=5]

Writes records of 128×128 float32 to a temporary folder, then reads them in alternating runs,
all from the page cache, and prints the medians and their ratio.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr

from app.data.description import DataDescription, Source, Splits, Variable
from app.data.shards import Shards
from app.data.shards.prepare import prepare

CELLS = 128
BATCH = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=4000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shards = Shards.open(_prepared(Path(folder), arguments.records))
        order = np.random.default_rng(0).permutation(shards.size("train"))
        mapped, single = [], []
        for _ in range(arguments.runs):
            mapped.append(_rate(lambda: read_shards(shards, order), len(order)))
            single.append(_rate(lambda: read_netcdf(shards, order), len(order)))
    fast, slow = statistics.median(mapped), statistics.median(single)
    print(f"shards {fast:,.0f} records/s, netCDF4 {slow:,.0f} records/s, ratio {fast / slow:.1f}")


def read_shards(shards: Shards, order: np.ndarray) -> float:
    """Batches of random records into one buffer; a sum keeps the reading honest."""
    total = 0.0
    batch = np.empty((BATCH, CELLS, CELLS, 1), np.float32)
    for start in range(0, len(order), BATCH):
        indices = order[start : start + BATCH]
        shards.read_into(batch[: len(indices)], "hr", "train", indices)
        total += float(batch[0, 0, 0, 0])
    return total


def read_netcdf(shards: Shards, order: np.ndarray) -> float:
    """The same records one by one from the same files."""
    total = 0.0
    files = [netCDF4.Dataset(path) for path in sorted((shards.folder / "train").glob("hr-*.nc"))]
    fields = [file["x"] for file in files]
    starts = np.cumsum([0, *(len(field) for field in fields)])
    for field in fields:
        field.set_auto_maskandscale(False)
    for index in order:
        shard = int(np.searchsorted(starts, index, side="right")) - 1
        total += float(fields[shard][index - starts[shard]][0, 0])
    for file in files:
        file.close()
    return total


def _rate(read: Callable[[], float], records: int) -> float:
    start = time.perf_counter()
    read()
    return records / (time.perf_counter() - start)


def _prepared(folder: Path, records: int) -> Path:
    rng = np.random.default_rng(0)
    axis = np.arange(CELLS) * 0.25
    times = np.datetime64("2000-01-01", "ns") + np.arange(records) * np.timedelta64(1, "h")
    fields = rng.standard_normal((records, CELLS, CELLS), np.float32)
    coords = {"time": times, "lat": axis, "lon": axis}
    xr.DataArray(fields, coords, ("time", "lat", "lon"), name="x").to_netcdf(folder / "x.nc")
    description = DataDescription(
        predictand=Source((str(folder / "x.nc"),), (Variable("x", "x"),)),
        splits=Splits(fractions=(1.0, 0.0, 0.0)),
    )
    return prepare(description, scale=4, cache_dir=folder / "cache")


if __name__ == "__main__":
    main()
