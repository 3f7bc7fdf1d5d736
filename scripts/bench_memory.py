"""Anonymous memory of `train` for a small and a large data set.

Writes random fields of 128 × 128 cells, prepares them, trains one epoch of a tiny network on each
and prints the peak of RssAnon, which shards mapped from the page cache do not count in.

usage: python scripts/bench_memory.py [--folder=DIR] [--mib=200,2048]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import netCDF4
import numpy as np

CELLS = 128
STEPS_AT_ONCE = 256
POLL_S = 0.1
FLAGS = [
    *("--variable=t2m", "--scale=4", "--backbone=convnet", "--n_blocks=1", "--n_filters=2"),
    *("--dropout_rate=0", "--batch_size=64", "--epochs=1", "--notensorboard", "--threads=2"),
]


def write_fields(path: Path, mib: int) -> None:
    """Hourly random fields of `mib` MiB in all."""
    steps = mib * 2**20 // (CELLS * CELLS * 4)
    rng = np.random.default_rng(0)
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("time", steps), ("lat", CELLS), ("lon", CELLS)):
            file.createDimension(name, size)
            axis = file.createVariable(name, "f8", (name,))
            axis[:] = np.arange(size) * (1 if name == "time" else 0.25)
        file["time"].units = "hours since 2000-01-01"
        file["lat"].units, file["lon"].units = "degrees_north", "degrees_east"
        field = file.createVariable("t2m", "f4", ("time", "lat", "lon"), contiguous=True)
        field.units = "K"
        for start in range(0, steps, STEPS_AT_ONCE):
            shape = (min(STEPS_AT_ONCE, steps - start), CELLS, CELLS)
            field[start : start + shape[0]] = rng.normal(280, 5, shape).astype("float32")


def anonymous_mib(pid: int) -> float:
    """RssAnon of a process; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def peak_mib(argv: list[str]) -> float:
    """The largest RssAnon seen while the program runs."""
    process = subprocess.Popen([sys.executable, "-m", "app", *argv])
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, anonymous_mib(process.pid))
        time.sleep(POLL_S)
    if process.returncode:
        raise SystemExit(f"the program failed with {process.returncode}")
    return peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", help="where to write; default: a temporary folder")
    parser.add_argument("--mib", default="200,2048", help="sizes in MiB")
    given = parser.parse_args()
    sizes = [int(size) for size in given.mib.split(",")]
    peaks = []
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        for mib in sizes:
            folder = Path(name)
            data = folder / f"fields_{mib}.nc"
            write_fields(data, mib)
            flags = [f"--data={data}", f"--cache_dir={folder / 'cache'}", *FLAGS]
            prepare = peak_mib(["prepare", *flags])
            peaks.append(peak_mib(["train", *flags, f"--save_path={folder / f'run_{mib}'}"]))
            print(f"{mib:6d} MiB: prepare {prepare:.0f} MiB, train {peaks[-1]:.0f} MiB anonymous")
            data.unlink()
    print(f"train: {peaks[-1] - peaks[0]:+.0f} MiB from {sizes[0]} to {sizes[-1]} MiB of data")


if __name__ == "__main__":
    main()
