"""Ranks that share the scoring, under a real launcher."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from app import options
from app.metrics.evaluate import evaluate_files
from tests.system.conftest import TIME_LIMIT_S, environment
from tests.system.launching import MPIRUN


def summary(folder: Path) -> dict[str, list[str]]:
    """Rows of a table by their names."""
    with (folder / "summary.csv").open() as file:
        return {row[0]: row[1:] for row in csv.reader(file)}


@pytest.mark.parallel
def test_two_ranks_write_the_summary_of_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    times = np.datetime64("2001-01-01", "ns") + np.arange(60) * np.timedelta64(6, "h")
    lat, lon = np.linspace(40.0, 45.0, 6), np.linspace(0.0, 6.0, 7)
    coordinates = {
        "time": times,
        "lat": ("lat", lat, {"units": "degrees_north"}),
        "lon": ("lon", lon, {"units": "degrees_east"}),
    }
    for name in ("truth", "prediction"):
        values = 280 + rng.normal(size=(60, 6, 7)).astype("f4")
        data = {"t2m": (("time", "lat", "lon"), values, {"units": "K"})}
        xr.Dataset(data, coordinates).to_netcdf(tmp_path / f"{name}.nc")
    files = {name: tmp_path / f"{name}.nc" for name in ("truth", "prediction")}
    flags = [f"--{name}={path}" for name, path in files.items()]
    flags += ["--variable=t2m", f"--save_path={tmp_path / 'two'}"]
    done = subprocess.run(
        [*MPIRUN, sys.executable, "-m", "app", "metrics", *flags],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "two").iterdir()} == {"metrics", "status.json"}
    alone = options.build(("metrics",), options.parse(flags)[1])
    assert alone.scored is not None
    evaluate_files(alone.scored, tmp_path / "one", alone.scoring)
    one, two = (summary(tmp_path / folder) for folder in ("one", "two/metrics"))
    assert list(one) == list(two)
    for metric in list(one)[1:]:
        numbers = [[float(cell or "nan") for cell in side[metric]] for side in (one, two)]
        assert numbers[0] == pytest.approx(numbers[1], rel=1e-9, abs=1e-12, nan_ok=True), metric
