"""Damage every file of a run, each in several ways, and see what the same command makes of it.

    python scripts/damage_table.py FOLDER [--states finished,train,test] [--only TEXT] [--flips 2]

FOLDER is made, and holds a small run that is finished, one interrupted in training and one in the
stage test. A cell copies one of them, damages one file and runs the same command again, in this
process. "healed": it ends well, and the prediction and the scores have the bits of an undamaged
run. "refused": it ends with one line that names the damage; "refused, healed": likewise, and the
command after it heals. "silent": it ends well with other bits. "traceback": it ends with an error
that was not foreseen. The exit code is 1 where anything was silent or a traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import io
import itertools
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from unittest import mock

import netCDF4
import numpy as np
import xarray as xr

from app.main import main as finescale
from app.running.failure import HINT

STAGES = ("train", "test", "metrics")
FLAGS = (
    *("--data=waves.nc", "--variable=t2m", "--static=waves.nc:orography", "--scale=2"),
    *("--cache_dir=cache", "--save_path=run", "--n_filters=2", "--n_blocks=1", "--epochs=2"),
    *("--dropout_rate=0", "--batch_size=4", "--threads=1", "--checkpoints_frequency=1"),
    *("--verbose=false", "--tensorboard=false"),
)
SKIPPED = (".lock", "status.json.*")
WORK = "work"
HEALED, REFUSED, AGAIN, SILENT, TRACEBACK = (
    "healed",
    "refused",
    "refused, healed",
    "silent",
    "traceback",
)
Damage = Callable[[Path], None]
Result = tuple[dict[str, bytes], bytes]


@dataclass(frozen=True)
class Cell:
    """One file of one run, damaged in one way, and what came of it."""

    state: str
    file: str
    damage: str
    outcome: str
    line: str


def make_data(path: Path) -> None:
    """Waves over a slope: temperature (K) every six hours, with orography (m)."""
    n, y, x = 60, 8, 12
    lat, lon = np.linspace(60, 56.5, y), np.linspace(-5, 0.5, x)
    height = 1500 * np.exp(-((lat[:, None] - 58) ** 2) / 6 - (lon[None] ** 2) / 8)
    waves = 8 * np.sin(np.arange(n)[:, None, None] / 5 + lat[:, None] / 2 + lon[None] / 3)
    t2m = 285 + waves - 0.0065 * height + np.random.default_rng(0).normal(0, 0.3, (n, y, x))
    xr.Dataset(
        {
            "t2m": (("time", "lat", "lon"), t2m.astype("float32"), {"units": "K"}),
            "orography": (("lat", "lon"), height.astype("float32"), {"units": "m"}),
        },
        coords={
            "time": np.datetime64("2020-01-01") + 6 * np.arange(n).astype("timedelta64[h]"),
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
    ).to_netcdf(path)


def run(folder: Path) -> tuple[int, str]:
    """Run the command in a folder, without drawing; its exit code and what it said of errors."""
    said, before = io.StringIO(), Path.cwd()
    os.chdir(folder)
    try:
        with (
            mock.patch("app.report.figures.draw_figures"),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(said),
        ):
            code = finescale([*STAGES, *FLAGS])
    finally:
        os.chdir(before)
    return code, said.getvalue()


@contextlib.contextmanager
def interrupted(target: str, call: int) -> Iterator[None]:
    """Within it the process is asked to stop as soon as a method was called so many times."""
    module, owner, name = target.rsplit(".", 2)
    holder = getattr(import_module(module), owner)
    original, calls = getattr(holder, name), itertools.count(1)

    def stopping(*args: object, **options: object) -> object:
        result = original(*args, **options)
        if next(calls) == call:
            os.kill(os.getpid(), signal.SIGTERM)
        return result

    with mock.patch.object(holder, name, stopping):
        yield


def make_states(folder: Path, wanted: list[str]) -> dict[str, Path]:
    """A folder for each state, with data, cache and run."""
    states = {name: folder / name for name in ("finished", "train", "test")}
    points = {
        "train": ("app.training.loop.Loop._step", 15),
        "test": ("app.inference.writer.GrowingFile.append", 2),
    }
    work = folder / WORK  # where every cell runs, too: the cache goes by the paths of the data
    for name in dict.fromkeys(["finished", *wanted]):
        work.mkdir(parents=True)
        make_data(work / "waves.nc")
        os.utime(work / "waves.nc", (1.6e9, 1.6e9))
        if name in points:
            with interrupted(*points[name]):
                code, said = run(work)
            if code != 3:
                raise SystemExit(f"{name}: expected an interrupted run, received {code}: {said}")
        else:
            code, said = run(work)
            if code:
                raise SystemExit(f"{name}: {said}")
        work.rename(states[name])
    return {name: states[name] for name in wanted}


def result_of(folder: Path) -> Result:
    """The bits of what is predicted, by variable, and of the scores."""
    with netCDF4.Dataset(folder / "run" / "y_hat.nc") as file:
        file.set_auto_maskandscale(False)
        fields = {name: np.asarray(v[...]).tobytes() for name, v in file.variables.items()}
    return fields, (folder / "run" / "metrics" / "summary.csv").read_bytes()


def files_of(folder: Path) -> list[str]:
    """Every file of the run and of its cache."""
    found = [p for place in ("run", "cache") for p in (folder / place).rglob("*") if p.is_file()]
    return sorted(
        p.relative_to(folder).as_posix()
        for p in found
        if not any(fnmatch.fnmatch(p.name, pattern) for pattern in SKIPPED)
    )


def damages(flips: int, rng: random.Random) -> dict[str, Damage]:
    """Ways to damage a file by what they are called."""

    def flip(path: Path) -> None:
        content = bytearray(path.read_bytes())
        if content:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)

    return {
        **{f"flip {n + 1}": flip for n in range(flips)},
        "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
        "empty": lambda path: os.truncate(path, 0),
        "[]": lambda path: path.write_text("[]") and None,
        "gone": lambda path: path.unlink(),
    }


def judge(folder: Path, expected: Result) -> tuple[str, str]:
    """Run the command on damaged files: what came of it, and the line that was said."""
    code, said = run(folder)
    lines = [line for line in said.splitlines() if line.startswith("finescale:")]
    line = lines[-1] if lines else said.strip()[-200:]
    if "Traceback" in said or HINT in said:
        return TRACEBACK, line
    if code == 0:
        return (HEALED if result_of(folder) == expected else SILENT), line
    if len(lines) != 1:
        return TRACEBACK, line
    if "same command" in line:
        code, said = run(folder)
        return (AGAIN if code == 0 and result_of(folder) == expected else SILENT), line
    return REFUSED, line


def cells(
    states: dict[str, Path], expected: Result, only: str, flips: int, seed: int
) -> Iterator[Cell]:
    """Every file of every state, damaged in every way; first each state as it is."""
    for state, folder in states.items():
        work = folder.with_name(WORK)
        ways: dict[str, Damage] = {"none": lambda path: None}
        for file in ["waves.nc", *files_of(folder)]:
            if file != "waves.nc":
                ways = damages(flips, random.Random(f"{seed} {state} {file}"))
            if file != "waves.nc" and not any(text in file for text in only.split(",")):
                continue
            for name, damage in ways.items():
                shutil.rmtree(work, ignore_errors=True)
                shutil.copytree(folder, work)
                damage(work / file)
                outcome, line = judge(work, expected)
                yield Cell(state, file, name, outcome, line)
        shutil.rmtree(work, ignore_errors=True)


def table(found: list[Cell]) -> str:
    """File × damage → outcome, and how many there are of each."""
    names = list(dict.fromkeys(cell.damage for cell in found if cell.damage != "none"))
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for cell in found:
        rows.setdefault((cell.state, cell.file), {})[cell.damage] = cell.outcome
    lines = ["| run | file | " + " | ".join(names) + " |", "|" + "---|" * (len(names) + 2)]
    for (state, file), row in rows.items():
        if "none" not in row:
            outcomes = " | ".join(row.get(name, "") for name in names)
            lines.append(f"| {state} | {file} | {outcomes} |")
    counts = Counter(cell.outcome for cell in found if cell.damage != "none")
    lines.append(", ".join(f"{number} {outcome}" for outcome, number in counts.most_common()))
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder that is made")
    parser.add_argument("--states", default="finished,train,test")
    parser.add_argument("--only", default="", help="files whose path holds one of these texts")
    parser.add_argument("--flips", type=int, default=2, help="bytes flipped, one at a time")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    folder, wanted = given.folder.resolve(), given.states.split(",")
    states = make_states(folder, wanted)
    expected = result_of(folder / "finished")
    found = []
    for cell in cells(states, expected, given.only, given.flips, given.seed):
        found.append(cell)
        took = time.strftime("%H:%M:%S")
        print(f"{took} {cell.state} {cell.file} {cell.damage}: {cell.outcome}: {cell.line}")
        sys.stdout.flush()
    print(table(found))
    return int(any(cell.outcome in (SILENT, TRACEBACK) for cell in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
