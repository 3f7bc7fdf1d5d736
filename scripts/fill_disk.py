"""Fill the disk under a small experiment at chosen points, give room, run it again, compare.

As root on Linux, as the disk is a small tmpfs:

    python -m scripts.fill_disk FOLDER [--points=100] [--seed=1] [--stages=prepare,train,…]

Each stage begins on what the undisturbed ones before it have left. Half of the points limit the
size of the disk, in steps of 16 KiB up to what the stage takes; at the others something else
takes, from a moment of the stage on, all that is left and whatever is freed. Every command is a
fork of this process, which has loaded TensorFlow.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import netCDF4
import numpy as np

from tests.system.conftest import QUICK, fields

STEP = 16 << 10  # bytes
PAGE = 4 << 10
ROOMY = 512 << 20
LIMIT_S = 300  # what takes longer counts as hung
STAGES = ("prepare", "train", "test", "metrics")
FLAGS = (
    *QUICK,
    *("--data=waves.nc", "--variable=t2m", "--static=waves.nc:orography", "--scale=4"),
    *("--epochs=2", "--dropout_rate=0.2", "--ema_decay=0.9", "--noverbose"),
    *("--checkpoint_every=4", "--save_path=disk/run", "--cache_dir=disk/cache"),
)


@dataclass(frozen=True)
class Point:
    """When the disk is full in a stage: after `size` bytes more, or at a moment (s) of it."""

    number: int
    stage: str
    size: int = 0
    moment: float = 0.0
    pages: int = 0  # that are left at the moment

    def __str__(self) -> str:
        where = f"{self.size >> 10} KiB" if self.size else f"{self.moment:.2f} s"
        return f"{self.stage} {where}"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int | None  # negative: by a signal; None: hung
    seconds: float
    peak: int  # bytes of the disk that were in use at once
    text: str

    @property
    def said(self) -> list[str]:
        return [line for line in self.text.splitlines() if line.startswith("finescale: ")]

    @property
    def noise(self) -> list[str]:
        """Lines that are neither the program's last word nor its warnings."""
        lines = self.text.splitlines()
        return [line for line in lines if not line.startswith(("finescale: ", "warning: "))]


class Disk:
    """A small file system of its own."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._ballast = folder / "ballast"
        self.hit = False

    def mount(self, size: int) -> None:
        self.path.mkdir(exist_ok=True)
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(self.path)], check=True
        )

    def resize(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.path)], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self.path)], check=False)

    @property
    def used(self) -> int:
        found = os.statvfs(self.path)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def eat(self, leave: int = 0) -> None:
        """Take all that is left but some pages."""
        found = os.statvfs(self.path)
        room = (found.f_bavail - leave) * found.f_frsize
        self.hit = True
        if room <= 0:
            return
        with self._ballast.open("ab") as file:
            at = os.fstat(file.fileno()).st_size
            while room >= PAGE:
                try:
                    os.posix_fallocate(file.fileno(), at, room)
                    return
                except OSError:
                    room = room // 2 // PAGE * PAGE

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)


@contextmanager
def disk_of(folder: Path, size: int) -> Iterator[Disk]:
    disk = Disk(folder / "disk")
    disk.mount(size)
    try:
        (disk.path / "tmp").mkdir()
        yield disk
    finally:
        disk.unmount()


def run(folder: Path, disk: Disk, stage: str, point: Point | None = None) -> Ended:
    """A stage in a fork; at a point's moment the disk is filled beneath it."""
    log = folder / "log.txt"
    begun, peak = time.monotonic(), 0
    child = os.fork()
    if child == 0:
        _become(folder, disk, stage, log)
    code = None
    while code is None and time.monotonic() - begun < LIMIT_S:
        done, status = os.waitpid(child, os.WNOHANG)
        peak = max(peak, disk.used)
        if done:
            code = os.waitstatus_to_exitcode(status)
        elif point is not None and point.moment and time.monotonic() - begun > point.moment:
            disk.eat(point.pages)
        time.sleep(0.005)
    if code is None:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    text = log.read_text("utf-8", errors="replace")
    return Ended(code, time.monotonic() - begun, peak, text)


def _become(folder: Path, disk: Disk, stage: str, log: Path) -> None:
    """Turn this fork into the program; never returns."""
    code = 99
    try:
        os.chdir(folder)
        os.environ["TMPDIR"] = str(disk.path / "tmp")
        out = os.open(log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(out, 2)
        from app.main import main
        from app.running import failure, streams

        streams.outlive()
        failure.hear_threads()
        code = main([stage, *FLAGS])
        sys.stderr.flush()
    finally:
        os._exit(code)


def result(disk: Disk, stage: str) -> dict[str, bytes]:
    """What a stage must have made with the same bits."""
    if stage == "prepare":
        files = (p for p in (disk.path / "cache").rglob("*") if p.is_file())
        return {str(p): p.read_bytes() for p in files if "/." not in str(p)}
    folder = disk.path / "run"
    if stage == "metrics":
        return {"scores": (folder / "metrics/summary.csv").read_bytes()}
    if stage == "test":
        with netCDF4.Dataset(folder / "y_hat.nc") as dataset:
            return {"fields": np.ma.filled(dataset["t2m"][:], np.nan).tobytes()}
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(folder / "model.keras") as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(weights) as file:

        def add(name: str, item: object) -> None:
            if isinstance(item, h5py.Dataset):
                found[name] = item[()].tobytes()

        file.visititems(add)
    return found


def left_over(disk: Disk) -> list[str]:
    """Hidden files, and folders of temporary files, that a finished run has no use for."""
    names = (p.relative_to(disk.path).as_posix() for p in disk.path.rglob("*") if p.is_file())
    return sorted(n for n in names if "/." in n or n.startswith("tmp/"))


def state(disk: Disk) -> str:
    try:
        return str(json.loads((disk.path / "run/status.json").read_text("utf-8"))["state"])
    except (OSError, ValueError, KeyError):
        return "-"


@dataclass(frozen=True)
class Whole:
    """An undisturbed stage: what it began on, what it took, and what it made."""

    base: Path
    seconds: float
    before: int
    room: int
    made: dict[str, bytes]


def undisturbed(folder: Path, stages: list[str]) -> dict[str, Whole]:
    """All stages one after the other; a copy of the disk is kept before each."""
    found = {}
    with disk_of(folder, ROOMY) as disk:
        for stage in STAGES[: 1 + max(map(STAGES.index, stages))]:
            base, before = folder / f"before-{stage}", disk.used
            shutil.rmtree(base, ignore_errors=True)
            shutil.copytree(disk.path, base)
            ended = run(folder, disk, stage)
            if ended.code != 0:
                raise SystemExit(f"{stage}: {ended.text}")
            room = ended.peak - before
            found[stage] = Whole(base, ended.seconds, before, room, result(disk, stage))
            print(f"{stage}: {ended.seconds:.1f} s, {room >> 10} KiB", flush=True)
    return {stage: found[stage] for stage in stages}


def points(total: int, whole: dict[str, Whole], seed: int) -> list[Point]:
    """Seeded points, of each stage and kind in turn."""
    chance = random.Random(seed)
    sizes = {
        stage: list(range(STEP, max(one.room, STEP) + 1, STEP)) for stage, one in whole.items()
    }
    for steps in sizes.values():
        chance.shuffle(steps)
    found: list[Point] = []
    for number in range(total):
        stage = list(whole)[number % len(whole)]
        if number // len(whole) % 2 == 0 and sizes[stage]:
            found.append(Point(number, stage, size=sizes[stage].pop()))
        else:
            moment = max(0.01, chance.random() * whole[stage].seconds)
            pages = chance.choice((0, 0, 1, 2, 5, 20))
            found.append(Point(number, stage, moment=moment, pages=pages))
    return found


def judge(point: Point, whole: Whole, folder: Path) -> tuple[str, str]:
    """A row of the table, and what is wrong, if anything."""
    with disk_of(folder, ROOMY) as disk:
        shutil.copytree(whole.base, disk.path, dirs_exist_ok=True)
        if point.size:
            disk.resize(disk.used + point.size)
        ended = run(folder, disk, point.stage, point)
        seen, hit = state(disk), disk.hit or ended.code != 0
        disk.free()
        disk.resize(ROOMY)
        again = run(folder, disk, point.stage)
        same = again.code == 0 and result(disk, point.stage) == whole.made
        left = left_over(disk)
    faults = []
    if ended.code not in (0, 1):
        faults.append(f"code {ended.code}")
    if ended.code == 1 and (len(ended.said) != 1 or "no space left" not in ended.said[0]):
        faults.append("not one line of a full disk")
    if ended.code == 1 and seen not in ("failed", "-"):
        faults.append(f"state {seen}")
    if ended.noise:
        faults.append(f"noise: {ended.noise[0][:150]}")
    if again.code != 0:
        faults.append(f"again {again.code}: {' '.join(again.said)[:200]}")
    elif not same:
        faults.append("other bits")
    if left:
        faults.append(f"left: {', '.join(left[:3])}")
    word = ended.said[-1].removeprefix("finescale: ") if ended.said else "" if hit else "not hit"
    row = f"{point.number:4d} {point!s:>16} {ended.code!s:>4} {seen:>8} {same!s:>6}  {word[:140]}"
    return row, "; ".join(faults)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stages", default=",".join(STAGES))
    given = parser.parse_args()
    folder = given.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras  # noqa: F401 (so that forks need not)
    import matplotlib.figure  # noqa: F401
    import xarray  # noqa: F401

    import app.main  # noqa: F401

    fields(n=40).to_netcdf(folder / "waves.nc")
    whole = undisturbed(folder, given.stages.split(","))
    counted: Counter[str] = Counter()
    for point in points(given.points, whole, given.seed):
        row, faults = judge(point, whole[point.stage], folder)
        print(row + (f"\n     !! {faults}" if faults else ""), flush=True)
        counted["bad" if faults else "good"] += 1
    print(dict(counted))
    return 1 if counted["bad"] else 0


if __name__ == "__main__":
    sys.exit(main())
