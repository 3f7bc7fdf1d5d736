"""Kill a whole experiment at chosen moments, resume it by the same command, compare the ends.

Run as a script it goes through twenty points, or on several ranks through a file STOP in every
phase, and prints a table:

    python -m tests.system.faults FOLDER [RANKS]
"""

from __future__ import annotations

import io
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.system.conftest import QUICK, command, environment, fields

PHASES = ("prepare", "first epoch", "checkpoint", "validation", "test", "metrics")
SIGNALS = ("SIGTERM", "SIGUSR1", "SIGKILL")
STOP = "STOP"  # a file instead of a signal: what reaches the ranks of any launcher
N_POINTS = 20
CHECKPOINT_STEPS = 4
EPOCHS = 4
LIMIT_S = 400  # what takes longer counts as hung
SEED = 7
FLAGS = [
    *QUICK,
    *("--data=waves.nc", "--variable=t2m", "--static=waves.nc:orography", "--scale=4"),
    *(f"--epochs={EPOCHS}", "--dropout_rate=0.2", "--normalization=bn", "--ema=0.9"),
    *(f"--checkpoint_every={CHECKPOINT_STEPS}", "--notensorboard"),
]


@dataclass(frozen=True)
class Point:
    """Where a run is stopped, and by what; `chance` in [0, 1) places it within the phase."""

    number: int
    phase: str
    signal: str
    chance: float


@dataclass(frozen=True)
class Outcome:
    """What became of a killed and resumed run."""

    point: Point
    code: int | None  # of the killed run; None where it hung
    state: str  # that it left
    checkpoint: str  # the newest that it left
    resumed: int | None
    weights: bool
    summary: bool

    @property
    def hung(self) -> bool:
        return self.code is None or self.resumed is None

    @property
    def hit(self) -> bool:
        """Whether the run was killed at all: a signal may come when all is done."""
        return self.code != 0

    @property
    def graceful(self) -> bool:
        """A request to stop leaves the state "interrupted" and code 3."""
        agreed = 1 if self.point.signal == STOP else 3  # horovodrun turns every code into 1
        return self.point.signal == "SIGKILL" or (self.code, self.state) == (agreed, "interrupted")

    @property
    def good(self) -> bool:
        same = self.weights and self.summary
        return not self.hung and self.resumed == 0 and same and (self.graceful or not self.hit)


def points(seed: int = SEED) -> list[Point]:
    """Every signal in every phase, and as many again at random as are missing to twenty."""
    draw = random.Random(seed)
    pairs = list(itertools.product(PHASES, SIGNALS))
    pairs += [draw.choice(pairs) for _ in range(N_POINTS - len(pairs))]
    return [Point(i, phase, name, draw.random()) for i, (phase, name) in enumerate(pairs)]


def points_of_several_ranks(seed: int = SEED) -> list[Point]:
    """A file STOP in every phase, for runs on several ranks."""
    draw = random.Random(seed)
    return [Point(N_POINTS + i, phase, STOP, draw.random()) for i, phase in enumerate(PHASES)]


class Laboratory:
    """A folder with data, one run that nobody disturbs, and the runs that are stopped."""

    def __init__(self, folder: Path, ranks: int = 1) -> None:
        self.folder = folder
        self._ranks = ranks
        folder.mkdir(parents=True, exist_ok=True)
        fields().to_netcdf(folder / "waves.nc")
        done = subprocess.run(
            self._command("whole", "cache"),
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=2 * LIMIT_S,
        )
        assert done.returncode == 0, done.stderr

    def outcome(self, point: Point) -> Outcome:
        """Kill one run and resume it."""
        name = f"run-{point.number:02d}"
        cache = f"cache-{point.number:02d}" if point.phase == "prepare" else "cache"
        if point.phase in ("test", "metrics"):
            self._copy_trained(name)
        argv, run = self._command(name, cache), self.folder / name
        code = self._kill(argv, run, point)
        state = str(_status(run).get("state"))
        left = sorted(path.name for path in (run / "checkpoints").glob("step-*"))
        resumed = self._finish(argv)
        return Outcome(
            point,
            code,
            state,
            left[-1] if left else "none",
            resumed,
            same_weights(run / "model.keras", self.folder / "whole" / "model.keras"),
            _same(run / "metrics/summary.csv", self.folder / "whole/metrics/summary.csv"),
        )

    def _command(self, name: str, cache: str) -> list[str]:
        stages = ["prepare", "train", "test", "metrics"]
        argv = [*stages, *FLAGS, f"--save_path={name}", f"--cache_dir={cache}"]
        return command(argv, self._ranks)

    def _copy_trained(self, name: str) -> None:
        """Start where training is done."""
        left_out = shutil.ignore_patterns("y_hat.nc", "metrics", "status.json")
        shutil.copytree(self.folder / "whole", self.folder / name, ignore=left_out)

    def _kill(self, argv: list[str], run: Path, point: Point) -> int | None:
        process = self._start(argv)
        begun = time.monotonic()
        reached, spread_s = MOMENTS[point.phase]
        while process.poll() is None and not reached(run, point):
            if time.monotonic() - begun > LIMIT_S:
                break
            time.sleep(0.0002)
        time.sleep(point.chance * spread_s)
        if process.poll() is None:
            if point.signal == STOP:
                (run / STOP).touch()
            else:
                os.kill(process.pid, getattr(signal, point.signal))
        return _wait(process)

    def _finish(self, argv: list[str]) -> int | None:
        return _wait(self._start(argv))

    def _start(self, argv: list[str]) -> subprocess.Popen[bytes]:
        with open(self.folder / "log.txt", "ab") as log:
            return subprocess.Popen(
                argv, cwd=self.folder, env=environment(), stdout=log, stderr=log
            )


def _wait(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def _status(run: Path) -> dict[str, Any]:
    try:
        return json.loads((run / "status.json").read_text())
    except (OSError, ValueError):
        return {}


def _in_stage(stage: str) -> Callable[[Path, Point], bool]:
    return lambda run, _: _status(run).get("stage") == stage


def _in_first_epoch(run: Path, _: Point) -> bool:
    return (run / "checkpoints" / f"step-{CHECKPOINT_STEPS:08d}").is_dir()


def _in_checkpoint(run: Path, point: Point) -> bool:
    """A checkpoint is being written after so many others."""
    folder = run / "checkpoints"
    names = os.listdir(folder) if folder.is_dir() else []
    wanted = CHECKPOINT_STEPS * (1 + int(point.chance * 6))
    steps = [int(name[6:14]) for name in names if name.startswith(".step-")]
    return any(step >= wanted for step in steps)


def _in_validation(run: Path, point: Point) -> bool:
    facts = _status(run)
    epoch = 1 + int(point.chance * (EPOCHS - 1))
    return facts.get("phase") == "validation" and facts.get("epoch", 0) >= epoch


# When a phase has been reached, and over how many seconds the signals are spread from then on.
MOMENTS: dict[str, tuple[Callable[[Path, Point], bool], float]] = {
    "prepare": (_in_stage("prepare"), 1.0),
    "first epoch": (_in_first_epoch, 0.03),
    "checkpoint": (_in_checkpoint, 0.004),
    "validation": (_in_validation, 0.02),
    "test": (_in_stage("test"), 2.0),
    "metrics": (_in_stage("metrics"), 0.8),
}


def weights(path: Path) -> dict[str, np.ndarray]:
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


def same_weights(ours: Path, theirs: Path) -> bool:
    if not (ours.is_file() and theirs.is_file()):
        return False
    one, other = weights(ours), weights(theirs)
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def _same(ours: Path, theirs: Path) -> bool:
    return ours.is_file() and ours.read_bytes() == theirs.read_bytes()


def table(outcomes: list[Outcome]) -> str:
    """One line a point, and the counts."""
    lines = [
        f"{'':>2}  {'phase':<12}{'signal':<9}{'code':>5}  {'state':<12}{'checkpoint':<15}"
        f"{'resumed':>7}  {'weights':<9}summary.csv"
    ]
    for one in outcomes:
        lines.append(
            f"{one.point.number:>2}  {one.point.phase:<12}{one.point.signal:<9}"
            f"{one.code!s:>5}  {one.state:<12}{one.checkpoint:<15}{one.resumed!s:>7}  "
            f"{'same' if one.weights else 'DIFFER':<9}{'same' if one.summary else 'DIFFERS'}"
        )
    count = {
        "runs": len(outcomes),
        "killed": sum(one.hit for one in outcomes),
        "good": sum(one.good for one in outcomes),
        "lost": sum(not one.good for one in outcomes),
        "hung": sum(one.hung for one in outcomes),
    }
    return "\n".join([*lines, "  ".join(f"{name} {n}" for name, n in count.items())])


def main(folder: Path, ranks: int) -> int:
    laboratory = Laboratory(folder, ranks)
    outcomes = []
    for point in points() if ranks == 1 else points_of_several_ranks():
        outcomes.append(laboratory.outcome(point))
        print(table(outcomes).splitlines()[-2], flush=True)
    print(table(outcomes))
    return 0 if all(one.good for one in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), int((sys.argv[2:] or ["1"])[0])))
