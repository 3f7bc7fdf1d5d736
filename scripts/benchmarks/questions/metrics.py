"""Scores: of two files of the quickstart's size, beside those of DL4DS."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from scripts.benchmarks.measuring import Cost, Costs, cost_of_command, in_turns
from scripts.benchmarks.outside import DL4DS
from scripts.benchmarks.results import REPOSITORY, Table
from scripts.benchmarks.serving import Competitor, Unavailable
from scripts.benchmarks.settings import Settings
from scripts.benchmarks.temporary import environment, folder

TIMES, CELLS = 438, 64
SCORES = ("core", "all")
MOST_RUNS = 3


def run(settings: Settings) -> list[Table]:
    """Whole commands, figures and intervals included; DL4DS without its figures."""
    times = 60 if settings.small else TIMES
    notes = [
        f"{times} times of {CELLS} × {CELLS} cells, one prediction, no baselines. finescale: the "
        "whole command, start, confidence intervals and figures included. DL4DS: its "
        "compute_metrics alone, without its figures, which give neither intervals nor a verdict."
    ]
    settings.say("metrics")
    with folder(settings.work) as work:
        write_pair(work, times)
        cases = {
            f"finescale, --scores={name}": lambda name=name: _ours(work, name, settings)
            for name in SCORES
        }
        competitor = None
        if settings.outside:
            try:
                task = {"threads": settings.threads, "data": str(work / "pair.npz")}
                python = DL4DS.python(settings.folder)
                competitor = Competitor(python, "metrics_of_dl4ds", task, settings.log).ready()
                cases["DL4DS"] = lambda: competitor.steps(1)
            except Unavailable as error:
                notes.append(f"DL4DS: {error}.")
        try:
            costs: Costs = in_turns(cases, min(settings.runs, MOST_RUNS))
        finally:
            if competitor is not None:
                competitor.close()
    rows: list[dict[str, Any]] = [
        {"what": name, "s": [c.wall for c in own], "core-s": [c.cpu for c in own]}
        for name, own in costs.items()
    ]
    return [Table("metrics", "Scores", rows, notes)]


def write_pair(work: Path, times: int) -> None:
    """A smooth truth and a prediction with errors, as NetCDF and as arrays."""
    import xarray as xr

    rng = np.random.default_rng(0)
    y, x = np.mgrid[:CELLS, :CELLS]
    phase = np.arange(times)[:, None, None] / 5
    truth = 280 + 5 * np.sin(phase + y / 7 + x / 11) + rng.normal(0, 0.5, (times, CELLS, CELLS))
    prediction = truth + rng.normal(0, 0.5, truth.shape)
    axis = {"units": "degrees_north"}, {"units": "degrees_east"}
    coords = {
        "time": np.datetime64("2001-01-01", "ns") + 6 * np.arange(times).astype("m8[h]"),
        "lat": ("lat", 40 + 0.25 * np.arange(CELLS), axis[0]),
        "lon": ("lon", 0.25 * np.arange(CELLS), axis[1]),
    }
    fields = {"truth": truth.astype("float32"), "prediction": prediction.astype("float32")}
    for name, values in fields.items():
        data = {"t2m": (("time", "lat", "lon"), values, {"units": "K"})}
        xr.Dataset(data, coords).to_netcdf(work / f"{name}.nc")
    np.savez(work / "pair.npz", **fields)


def _ours(work: Path, scores: str, settings: Settings) -> Cost:
    files = (f"--truth={work / 'truth.nc'}", f"--prediction={work / 'prediction.nc'}")
    return cost_of_command(
        [
            *(sys.executable, "-m", "app", "metrics", *files, "--variable=t2m"),
            *(f"--scores={scores}", f"--save_path={work / scores}", "--overwrite"),
            f"--threads={settings.threads}",
        ],
        env=environment(settings.threads),
        cwd=REPOSITORY,
    )
