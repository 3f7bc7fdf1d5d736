"""Run folders as a training would have left them, made of fields that are known exactly."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import xarray as xr
from memory_shards import fine_grid, perfect_prog

from app.data.description import Variable
from app.data.shards import Shards
from app.metrics.evaluate import evaluate
from app.report.record import Record
from app.tasks.space import SpaceTask

ROWS, COLUMNS, SAMPLES = 8, 10, 400
HISTORY = (
    "epoch,loss,val_loss,learning_rate,samples_per_s,seconds\n1,3,2.5,0.1,50,4\n2,2,1.25,0.1,60,3\n"
)
T2M = (Variable("t2m", "t2m", units="K"),)


def truth(variables: int = 1, seed: int = 0) -> np.ndarray:
    """Waves with a course of the day (n, y, x, C)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:ROWS, :COLUMNS] / 4
    hour = np.arange(SAMPLES)[:, None, None, None]
    pattern = np.sin(y)[..., None] + np.cos(x)[..., None] * np.sin(hour / 24 * 2 * np.pi)
    return 280 + pattern + 0.3 * rng.normal(size=(SAMPLES, ROWS, COLUMNS, variables))


def made_shards(variables: tuple[Variable, ...] = T2M) -> Shards:
    """Hourly data, of which the last fifth is the test period."""
    return perfect_prog(
        truth(len(variables)), step_hours=1, grid=fine_grid(ROWS, COLUMNS), variables=variables
    )


def made_run(
    folder: Path,
    error: float = 0.1,
    *,
    shards: Shards | None = None,
    members: int = 1,
    seed: int = 1,
) -> Record:
    """Write y_hat.nc, the truth and errors of a standard deviation, its scores and the rest."""
    shards = shards or made_shards()
    names = [variable.name for variable in shards.variables["hr"]]
    exact = shards.read("hr", "test", np.arange(shards.size("test")))
    rng = np.random.default_rng(seed)
    fields = exact + error * rng.normal(size=(members, *exact.shape)).astype(np.float32)
    grid = shards.geometry.fine
    lat = ("lat", grid.lat, {"units": "degrees_north"})
    lon = ("lon", grid.lon, {"units": "degrees_east"})
    dims = ("member", "time", "lat", "lon") if members > 1 else ("time", "lat", "lon")
    data = {
        n: (dims, fields[..., c] if members > 1 else fields[0, ..., c]) for c, n in enumerate(names)
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "y_hat.nc"
    xr.Dataset(data, {"time": shards.times("test"), "lat": lat, "lon": lon}).to_netcdf(path)
    evaluate(shards, path, folder / "metrics", candidates=("bicubic", "linear"))
    (folder / "history.csv").write_text(HISTORY)
    told = {
        "hardware": {"cpu": "A & B <64>", "cores": 2, "gpus": []},
        "threads": 2,
        "parameters": 1234,
    }
    (folder / "provenance.json").write_text(json.dumps(told))
    (folder / "status.json").write_text(json.dumps({"state": "finished", "inference_s": 2.5}))
    return SpaceTask().record(SimpleNamespace(module=None), shards, path)
