"""Processor time to a test error on the data of the quickstart, each with its own defaults."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from scripts.benchmarks.measuring import cost_of_command
from scripts.benchmarks.networks import SCALE
from scripts.benchmarks.outside import DL4DS
from scripts.benchmarks.results import REPOSITORY, Table
from scripts.benchmarks.serving import Competitor, Unavailable
from scripts.benchmarks.settings import Settings
from scripts.benchmarks.temporary import environment, folder

DATA = (
    *("--data=synthetic", "--variable=t2m", "--static=synthetic:orography,synthetic:lsm"),
    f"--scale={SCALE}",
)
OURS: dict[str, tuple[tuple[str, ...], tuple[float, ...]]] = {  # flags; shares of the seconds
    "finescale": ((), (0.125, 0.25, 0.5)),
    "finescale --recipe=dl4ds": (("--recipe=dl4ds",), (0.5,)),
    "finescale --recipe=dl4ds --wide_head=false": (("--recipe=dl4ds", "--wide_head=false"), (0.5,)),
}
SHOWN = 6  # points of a program, roughly
LEAST_S = 1.0  # of a time budget


def run(settings: Settings) -> Table:
    """The error after growing time budgets here, epoch by epoch of DL4DS."""
    points: dict[str, list[tuple[float, float]]] = {}
    notes = [
        "Six-hourly temperature and statics of the quickstart, RMSE of the test period (K) after "
        "so many seconds of the processor. finescale: whole processes, from their start to the "
        "prediction, with --time_budget. DL4DS: training alone, by epochs, its resnet with spc, "
        "dropout 0.2, learning rate 1e-3 and batch 32; its error is that of whole test batches. "
        "The goal is the least error of DL4DS in the time it was given."
    ]
    with folder(settings.work) as work:
        truth = _exported(settings, work / "arrays.npz")
        for name, (flags, shares) in OURS.items():
            for share in shares[:1] if settings.small else shares:
                budget = max(LEAST_S, share * settings.error_seconds)
                settings.say(f"time to error: {name}, {budget:.0f} s")
                points.setdefault(name, []).append(_ours(settings, flags, budget, work, truth))
        if settings.outside:
            try:
                points["DL4DS"] = _dl4ds(settings, work / "arrays.npz")
            except Unavailable as error:
                notes.append(f"DL4DS: {error}.")
    goal = min((error for _, error in points.get("DL4DS", [])), default=None)
    rows = []
    for name, own in points.items():
        row: dict[str, Any] = {"program": name}
        if goal is not None:
            reached = [seconds for seconds, error in own if error <= goal]
            row[f"core-s to {goal:.2f} K"] = min(reached) if reached else "not reached"
        every = -(-len(own) // SHOWN)
        shown = own[::-1][::every][::-1]
        row["K after core-s"] = ", ".join(f"{error:.2f} after {s:.0f}" for s, error in shown)
        rows.append(row)
    return Table("train_error", "Time to a test error", rows, notes)


def _ours(
    settings: Settings, flags: tuple[str, ...], budget: float, work: Path, truth: Any
) -> tuple[float, float]:
    """Core seconds of a training within a budget with its prediction, and the error."""
    import xarray as xr

    run = Path(tempfile.mkdtemp(dir=work)) / "run"
    cost = cost_of_command(
        [
            *(sys.executable, "-m", "app", "train", "test", *DATA, *flags),
            *(f"--time_budget={budget:.0f}s", f"--threads={settings.threads}", "--device=CPU"),
            *(f"--save_path={run}", f"--cache_dir={settings.cache}", "--notensorboard"),
        ],
        cwd=REPOSITORY,
        env=environment(settings.threads),
    )
    with xr.open_dataset(run / "y_hat.nc") as prediction:
        fields = prediction["t2m"].sortby("lat").values  # as the truth has them
        error = np.sqrt(np.mean(np.square(fields - truth)))
    return cost.cpu, float(error)


def _dl4ds(settings: Settings, arrays: Path) -> list[tuple[float, float]]:
    task = {"threads": settings.threads, "precision": "float32", "data": str(arrays)}
    python = DL4DS.python(settings.folder)
    competitor = Competitor(python, "with_dl4ds", task, settings.log).ready()
    points, spent = [], 0.0
    try:
        while spent < settings.error_seconds and not (settings.small and points):
            spent += competitor.steps(1).cpu
            competitor.steps(-1)
            points.append((spent, competitor.last["rmse"]))
            settings.say(f"time to error: DL4DS, {spent:.0f} s, {points[-1][1]:.2f} K")
    finally:
        competitor.close()
    return points


def _exported(settings: Settings, path: Path) -> Any:
    """Write the splits as arrays; the truth of the test period (time, y, x)."""
    from app import options
    from app.ranks import Ranks
    from app.session import Session

    argv = ["prepare", *DATA, f"--cache_dir={settings.cache}"]
    words, values = options.parse(argv)
    shards = Session(options.build(words, values), Ranks()).shards
    arrays = {
        split: shards.read("hr", split, np.arange(shards.size(split)))
        for split in ("train", "validation", "test")
    }
    np.savez(path, static=shards.static, **arrays)
    return arrays["test"][..., 0]
