"""Reading samples in random order: batches from shards beside a bare gather and other formats."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from app.arrays import Array
from app.data.shards import Shards
from app.data.streaming.sampler import Sampler
from app.data.streaming.samples import FieldSamples
from scripts.benchmarks.fields import prepared, write_fields
from scripts.benchmarks.measuring import Cost, cost_of, in_turns
from scripts.benchmarks.results import REPOSITORY, Table
from scripts.benchmarks.settings import Settings
from scripts.benchmarks.temporary import environment, folder, started

CELLS, BATCH = 128, 32
FRAMES, PATCH = 4, 64
POLL_S = 0.05
MEMORY_FLAGS = (
    *("--variable=t2m", "--scale=4", "--recipe=dl4ds", "--backbone=convnet", "--n_blocks=1"),
    *("--n_filters=2", "--dropout_rate=0", "--batch_size=64", "--epochs=1", "--notensorboard"),
)
Read = Callable[[Array], None]
GATHER = "numpy gather"


def run(settings: Settings) -> list[Table]:
    """Rates of whole passes in random order, and memory by the size of the data."""
    records = 128 if settings.small else 4000
    tables = []
    with folder(settings.work) as work:
        write_fields(work / "x.nc", records, CELLS)
        shards = Shards.open(prepared(work / "x.nc", work / "cache"))
        settings.say(f"stream: {records} records of {CELLS} × {CELLS}")
        tables.append(rates(shards, work, settings))
    sizes = (20, 40) if settings.small else (256, 1024)
    tables.append(_memory(sizes, settings))
    return tables


def rates(shards: Shards, work: Path, settings: Settings) -> Table:
    """Whole passes over the records by each reader in turns; slow ones over an eighth."""
    size = shards.size("train")
    order = np.random.default_rng(0).permutation(size)
    files = sorted((shards.folder / "train").glob("hr-*.nc"))
    notes = [
        f"{size} records of {CELLS} × {CELLS} float32 (and of {CELLS // 4} × {CELLS // 4} beside "
        f"them, in batches of finescale), in batches of {BATCH}, in random order, from the page "
        "cache unless cold; GB/s of the fine fields alone. Batches of finescale come complete, "
        f"from their own thread; windows are of {FRAMES} times, patches of {PATCH} × {PATCH}."
    ]
    readers: dict[str, Read] = {
        GATHER: _gather(files),
        "finescale: batches": _batches(shards, None, None),
        "finescale: batches, cold": _cold(files, _batches(shards, None, None)),
        f"{GATHER}, cold": _cold(files, _gather(files)),
        "finescale: windows": _batches(shards, None, FRAMES),
        "finescale: patches": _batches(shards, PATCH, None),
        "netCDF4, one by one": _netcdf(files),
    }
    few = order[: len(order) // 8]  # what would take longest
    slow: dict[str, Read] = {}
    others = (("xarray and dask", _xarray), ("Zarr", _zarr), ("TFRecord", _records))
    for name, make in others if settings.outside else ():
        try:
            slow[name] = make(files, work)
        except ImportError as error:
            notes.append(f"{name}: {error}.")
    frames = {"finescale: windows": FRAMES}

    def case(name: str, read: Read, rows: Array) -> Callable[[], Cost]:
        return lambda: cost_of(lambda: read(rows), len(rows) * frames.get(name, 1))

    cases = {name: case(name, read, order) for name, read in readers.items()}
    cases |= {name: case(name, read, few) for name, read in slow.items()}
    costs = in_turns(cases, settings.runs)
    rows = []
    for name, own in costs.items():
        cells = PATCH**2 if name.endswith("patches") else CELLS**2
        limit = costs[f"{GATHER}, cold" if name.endswith("cold") else GATHER]
        pairs = list(zip(own, limit, strict=True))
        rows.append(
            {
                "what": name,
                "records/s": [cost.rate for cost in own],
                "records/core-s": [cost.cpu_rate for cost in own],
                "GB/s": [cost.rate * cells * 4 / 1e9 for cost in own],
                f"× {GATHER}, bytes": [
                    one.rate * cells / (other.rate * CELLS**2) for one, other in pairs
                ],
            }
        )
    return Table("stream_rates", "Reading in random order", rows, notes)


def _gather(files: Sequence[Path]) -> Read:
    """Records taken out of memory maps of the same files: what the memory gives at most."""
    maps = []
    for path in files:
        with netCDF4.Dataset(path) as file:
            shape = file["t2m"].shape
        maps.append(np.memmap(path, np.float32, "r", _offset(path), shape))
    starts = np.cumsum([0, *(len(part) for part in maps)])
    batch = np.empty((BATCH, CELLS, CELLS), np.float32)

    def read(order: Array) -> None:
        shard = np.searchsorted(starts, order, side="right") - 1
        for first in range(0, len(order), BATCH):
            for i, index in enumerate(order[first : first + BATCH]):
                part = shard[first + i]
                batch[i] = maps[part][index - starts[part]]

    return read


def _offset(path: Path) -> int:
    import h5py

    with h5py.File(path) as file:
        offset = file["t2m"].id.get_offset()
    assert offset is not None
    return int(offset)


def _batches(shards: Shards, patch: int | None, frames: int | None) -> Read:
    """Complete batches, as training gets them."""
    samples = FieldSamples(shards, patch, frames)

    def read(order: Array) -> None:
        left = -(-len(order) // BATCH)
        sampler = Sampler(samples.size("train"), batch_size=BATCH)
        with samples.batches("train", sampler) as stream:
            for _ in stream:
                left -= 1
                if not left:
                    return

    return read


def _cold(files: Sequence[Path], inner: Read) -> Read:
    """The same with the files put out of the page cache, as far as the system does so."""

    def read(order: Array) -> None:
        for path in {*files, *(Path(str(p).replace("/hr-", "/lr-")) for p in files)}:
            with open(path, "rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        inner(order)

    return read


def _netcdf(files: Sequence[Path]) -> Read:
    opened = [netCDF4.Dataset(path) for path in files]
    fields = [file["t2m"] for file in opened]
    for one in fields:
        one.set_auto_maskandscale(False)
    starts = np.cumsum([0, *(len(one) for one in fields)])

    def read(order: Array) -> None:
        for index in order:
            shard = int(np.searchsorted(starts, index, side="right")) - 1
            fields[shard][index - starts[shard]]

    return read


def _xarray(files: Sequence[Path], work: Path) -> Read:
    import dask
    import xarray as xr

    data = xr.open_mfdataset(files, chunks={"time": BATCH}, combine="nested", concat_dim="time")

    def read(order: Array) -> None:
        with dask.config.set(scheduler="synchronous"):
            for first in range(0, len(order), BATCH):
                data["t2m"].isel(time=order[first : first + BATCH]).load()

    return read


def _zarr(files: Sequence[Path], work: Path) -> Read:
    """A chunk a record, without compression."""
    import zarr

    values = np.concatenate([_values(path) for path in files])
    array = zarr.create_array(
        str(work / "x.zarr"), data=values, chunks=(1, CELLS, CELLS), compressors=None
    )

    def read(order: Array) -> None:
        for first in range(0, len(order), BATCH):
            array.oindex[order[first : first + BATCH]]

    return read


def _records(files: Sequence[Path], work: Path) -> Read:
    """A sequential read with a buffer of a quarter of the records to shuffle in."""
    started(threads=1)
    import tensorflow as tf

    path = str(work / "x.tfrecord")
    total = 0
    with tf.io.TFRecordWriter(path) as writer:
        for file in files:
            for record in _values(file):
                writer.write(record.tobytes())
                total += 1

    def parsed(record: Any) -> Any:
        return tf.reshape(tf.io.decode_raw(record, tf.float32), (CELLS, CELLS))

    def read(order: Array) -> None:
        data = tf.data.TFRecordDataset(path).shuffle(total // 4).map(parsed).batch(BATCH)
        for _ in data.take(-(-len(order) // BATCH)):
            pass

    return read


def _values(path: Path) -> Array:
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        return np.asarray(file["t2m"][:])


def _memory(sizes: Sequence[int], settings: Settings) -> Table:
    """Anonymous memory at its peak: what is mapped or in the page cache does not count."""
    rows = []
    with folder(settings.work) as work:
        for mib in sizes:
            settings.say(f"stream: memory with {mib} MiB of data")
            free = shutil.disk_usage(work).free / 2**20
            if free < 3 * mib:
                rows.append({"data, MiB": mib, "training, MiB": f"disk has {free:.0f} MiB"})
                continue
            data, run = work / f"x{mib}.nc", work / f"run{mib}"
            write_fields(data, max(64, mib * 2**20 // (CELLS * CELLS * 4)), CELLS)
            flags = [f"--data={data}", f"--cache_dir={work / 'cache'}", *MEMORY_FLAGS]
            flags.append(f"--threads={settings.threads}")
            rows.append(
                {
                    "data, MiB": mib,
                    "preparing, MiB": _peak(["prepare", *flags], settings),
                    "training, MiB": _peak(["train", *flags, f"--save_path={run}"], settings),
                }
            )
            shutil.rmtree(work / "cache")
            data.unlink()
    note = "Anonymous memory of one rank at its peak, an epoch of a tiny network (RssAnon)."
    return Table("stream_memory", "Memory by size of the data", rows, [note])


def _peak(argv: Sequence[str], settings: Settings) -> float:
    """The largest RssAnon in MiB that was seen while the program ran."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app", *argv],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(settings.threads),
        cwd=REPOSITORY,
    )
    peak = max(_seen(process), default=0.0)
    code = process.wait()
    if code:
        raise RuntimeError(f"{' '.join(argv[:2])}: exit code {code}")
    return peak


def _seen(process: Any) -> Iterator[float]:
    while process.poll() is None:
        try:
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        except OSError:
            return
        yield sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024
        time.sleep(POLL_S)
