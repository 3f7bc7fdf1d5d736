"""Time and memory of what grows with a run, at a size and at a quarter of it.

    python scripts/load_table.py all|times|files|tiles|sweep|ranks|history [--size=N]

Each size is measured in a process of its own. `cpu` is the processor time of the part alone, all
threads together, without imports; `MiB` is by how much the resident memory grew at its peak. What
is linear in the size has a ratio of 4 or less; fixed costs make it smaller.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import netCDF4
import numpy as np

PARTS_OF = 4  # the smaller size is one in so many
AT_ONCE = 1000  # times written at once
FINE = 0.02  # degrees between fine cells of the field in tiles: 4096 of them fit a hemisphere
LINEAR = 1.25  # times PARTS_OF: more than noise above linear
EPOCH = {"loss": 0.1, "val_loss": 0.1, "learning_rate": 1e-3, "samples_per_s": 1e3, "seconds": 60.0}


class Meter:
    """Measures parts of the work: name → processor seconds, seconds, MiB."""

    def __init__(self) -> None:
        self.parts: dict[str, tuple[float, float, float]] = {}

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        _forget_peak()
        before = _memory_mib("VmRSS")
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        self.parts[name] = cpu, wall, _memory_mib("VmHWM") - before


def times(n: int, folder: Path, meter: Meter) -> None:
    """Times of 16 × 16 cells: shards of them, and an epoch of batches in random order."""
    from app.data.description import DataDescription, Source, Splits, Variable
    from app.data.shards import Shards
    from app.data.shards.prepare import prepare
    from app.data.streaming.sampler import Sampler
    from app.data.streaming.samples import FieldSamples

    write_fields(folder / "x.nc", n, 16)
    source = Source((str(folder / "x.nc"),), (Variable("x", "x"),))
    description = DataDescription(predictand=source, splits=Splits(fractions=(0.9, 0.05, 0.05)))
    with meter.part("prepare"):
        made = prepare(description, scale=4, cache_dir=folder / "cache")
    with meter.part("open"):
        shards = Shards.open(made)
    samples = FieldSamples(shards, patch=None, frames=None)
    with (
        meter.part("an epoch of batches"),
        samples.batches("train", Sampler(samples.size("train"))) as stream,
    ):
        for _ in stream:
            pass


def files(n: int, folder: Path, meter: Meter) -> None:
    """Files of a day behind one glob: the stage check."""
    from app.main import main

    for number in range(n):
        write_fields(folder / f"day_{number:05d}.nc", 24, 8, first=24 * number)
    argv = ["check", f"--data={folder}/day_*.nc", "--variable=x", "--scale=4"]
    with meter.part("check"), contextlib.redirect_stdout(io.StringIO()):
        assert main([*argv, f"--cache_dir={folder / 'cache'}"]) == 0


def tiles(n: int, folder: Path, meter: Meter) -> None:
    """A field of so many fine cells, predicted by a tiny network in tiles of 256 × 256."""
    from app.main import main

    write_fields(folder / "train.nc", 40, 32, spacing=FINE)
    common = ["--scale=4", "--noverbose", f"--cache_dir={folder / 'cache'}"]
    net = ["--n_filters=2", "--n_blocks=1", "--epochs=1", "--notensorboard", "--threads=1"]
    trained = [*common, *net, f"--save_path={folder / 'run'}"]
    assert main(["train", f"--data={folder / 'train.nc'}", "--variable=x", *trained]) == 0
    side = int(np.sqrt(n)) // 4
    write_fields(folder / "wide.nc", 1, side, spacing=4 * FINE)
    given = [f"--model={folder / 'run'}", f"--input={folder / 'wide.nc'}", "--input_grid=own"]
    with meter.part("predict"):
        where = f"--save_path={folder / 'wide'}"
        assert main(["test", *common, *given, where, "--tile_size=256", "--batch_size=1"]) == 0


def sweep(n: int, folder: Path, meter: Meter) -> None:
    """Members of a sweep: planned, written, their status, their table."""
    from app import options
    from app.main import main
    from app.options import build_sweep
    from app.running.status import Status
    from app.sweep.collect import collect
    from app.sweep.members import plan_members, write_members
    from app.sweep.spec import read_spec

    seeds = ",".join(map(str, range(n)))
    argv = ["sweep", "--data=x.nc", "--variable=x", "--scale=4", f"--save_path={folder / 'sweep'}"]
    given = build_sweep(*options.parse([*argv, f"--sweep=seed={seeds}"]), argv)
    spec = read_spec(f"seed={seeds}")
    with meter.part("plan"):
        planned = plan_members(spec, given)
    with meter.part("write"):
        write_members(planned, spec, given)
    for one in planned:
        Status(one.member.folder).begin("train", ("train",))
    runs = [str(one.member.folder) for one in planned]
    with meter.part("status"), contextlib.redirect_stdout(io.StringIO()):
        assert main(["status", *runs]) == 0
    with meter.part("collect"):
        collect(folder / "sweep")


def ranks(n: int, folder: Path, meter: Meter) -> None:
    """Ranks that meet on one host and leave, each a thread with its own connection."""
    from app.distributed.watch import Watch
    from app.options import LaunchConfig
    from app.ranks import Ranks

    os.environ |= {"SLURM_JOB_ID": "1", "SLURM_STEP_ID": "0"}
    all_met = threading.Barrier(n)
    teams: list[int] = []

    def rank(number: int) -> None:
        watch = Watch(Ranks(number, n, number, n, "srun"), folder / "run", LaunchConfig())
        teams.append(watch.gather().local_size)
        all_met.wait()
        watch.leave(0)

    with meter.part("meet and leave"):
        threads = [threading.Thread(target=rank, args=(number,)) for number in range(n)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert teams == [n] * n


def history(n: int, folder: Path, meter: Meter) -> None:
    """history.csv of a month with an epoch a minute: kept epoch by epoch, and read by a sweep."""
    from app.running.run_folder import RunFolder
    from app.sweep.members import SweepRun
    from app.sweep.results import read_result
    from app.training.history import HistoryFile

    rows: list[dict[str, float]] = []
    file = HistoryFile(RunFolder(folder).history)
    with meter.part("keep"):
        for number in range(n):
            rows.append({"epoch": float(number + 1), **EPOCH})
            file.keep(rows)
    member = SweepRun(0, folder, {"seed": "0"})
    member.flagfile.write_text("")
    with meter.part("read"):
        assert read_result(member).seconds == 60.0 * n


Row = Callable[[int, Path, Meter], None]
ROWS: dict[str, tuple[Row, int]] = {
    "times": (times, 100_000),
    "files": (files, 2000),
    "tiles": (tiles, 4096**2),
    "sweep": (sweep, 1000),
    "ranks": (ranks, 64),
    "history": (history, 30 * 24 * 60),
}


def write_fields(path: Path, n: int, cells: int, first: int = 0, spacing: float = 0.25) -> None:
    """Hourly random fields of a square of cells."""
    rng = np.random.default_rng(first)
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("time", n), ("lat", cells), ("lon", cells)):
            file.createDimension(name, size)
            axis = file.createVariable(name, "f8", (name,))
            axis[:] = first + np.arange(size) if name == "time" else spacing * np.arange(size)
        file["time"].units = "hours since 2000-01-01"
        file["lat"].units, file["lon"].units = "degrees_north", "degrees_east"
        field = file.createVariable("x", "f4", ("time", "lat", "lon"), contiguous=True)
        field.units = "K"
        for start in range(0, n, AT_ONCE):
            shape = (min(AT_ONCE, n - start), cells, cells)
            field[start : start + shape[0]] = 280 + 5 * rng.standard_normal(shape, np.float32)


def _memory_mib(what: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _measured(name: str, n: int) -> dict[str, list[float]]:
    argv = [sys.executable, __file__, name, f"--size={n}", "--here"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("row", choices=["all", *ROWS])
    parser.add_argument("--size", type=int, help="instead of the row's own")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        meter = Meter()
        with tempfile.TemporaryDirectory() as folder:
            ROWS[given.row][0](given.size, Path(folder), meter)
        print(json.dumps(meter.parts))
        return
    print(f"{'':<32}{'size':>10}{'cpu s':>9}{'wall s':>9}{'MiB':>8}   ratio of cpu, MiB")
    for name in ROWS if given.row == "all" else [given.row]:
        size = given.size or ROWS[name][1]
        small, large = _measured(name, size // PARTS_OF), _measured(name, size)
        for part, (cpu, wall, mib) in large.items():
            ratios = cpu / max(small[part][0], 1e-3), mib / max(small[part][2], 1.0)
            verdict = "" if max(ratios) <= LINEAR * PARTS_OF else "  MORE THAN LINEAR"
            print(
                f"{name + ': ' + part:<32}{size:>10}{cpu:>9.2f}{wall:>9.2f}{mib:>8.0f}"
                f"   {ratios[0]:.1f}, {ratios[1]:.1f}{verdict}",
                flush=True,
            )


if __name__ == "__main__":
    main()
