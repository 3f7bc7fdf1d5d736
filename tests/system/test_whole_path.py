"""From files to score tables, as a user runs it."""

import csv
import json
import resource
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from app.options import parse

# One line of Python that makes every import of TensorFlow, Keras and Horovod fail.
NO_TENSORFLOW = """
import sys
for name in ("tensorflow", "keras", "horovod"):
    sys.modules[name] = None
"""
CANDIDATES = [
    *("model", "nearest", "bilinear", "bicubic", "bicubic_orography", "climatology"),
    *("bias_corrected", "linear"),
]


def test_all_stages_leave_a_complete_run_folder(run, data_flags, tmp_path: Path) -> None:
    flags = [*data_flags, "--save_path=out", "--epochs=2"]
    done = run("train", "test", "metrics", *flags)
    out = tmp_path / "out"
    for name in (
        *("experiment.cfg", "provenance.json", "status.json", "history.csv", "model.keras"),
        *("y_hat.nc", "metrics/summary.csv", "metrics/summary.txt", "metrics/gridpoint.nc"),
        *("metrics/maps.png", "metrics/rmse_map.png", "checkpoints/last", "checkpoints/best.keras"),
    ):
        assert (out / name).is_file(), name
    assert list((out / "tensorboard").iterdir())
    summary = (out / "metrics" / "summary.txt").read_text()
    verdict = summary[: summary.index("The model, score by score")]
    assert verdict in done.stdout
    assert summary not in done.stdout

    with open(out / "metrics" / "summary.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["metric", *(c + end for c in CANDIDATES for end in ("", "_std"))]
    assert {"mae", "rmse", "bias", "nrmse", "pearson", "spearman", "psnr", "ssim"} <= {
        row[0] for row in rows
    }
    status = json.loads((out / "status.json").read_text())
    assert (status["stage"], status["state"], status["epoch"]) == ("metrics", "finished", 2)
    _, values = parse([f"--flagfile={out / 'experiment.cfg'}"])
    assert values["epochs"] == 2

    again = run("train", "test", "metrics", *flags)
    assert "already trained" in again.stderr
    assert "already predicted" in again.stderr
    refused = run("train", *flags, "--n_blocks=2", expect=2)
    assert "made with other flags (n_blocks: 1 → 2)" in refused.stderr
    run("train", *flags, "--epochs=3")
    assert len((out / "history.csv").read_text().splitlines()) == 1 + 3


def test_prediction_lies_on_the_files_own_coordinates(run, data_flags, tmp_path: Path) -> None:
    run("train", "test", *data_flags, "--save_path=out", "--epochs=1")
    truth = xr.open_dataset(tmp_path / "waves.nc")
    with xr.open_dataset(tmp_path / "out" / "y_hat.nc") as predicted:
        assert predicted.attrs["Conventions"].startswith("CF")
        assert predicted.t2m.dims == ("time", "lat", "lon")
        assert predicted.t2m.attrs["units"] == "K"
        np.testing.assert_array_equal(predicted.lat, truth.lat)  # north first, as in the file
        np.testing.assert_array_equal(predicted.lon, truth.lon)
        np.testing.assert_array_equal(predicted.time, truth.time[-len(predicted.time) :])
        error = predicted.t2m - truth.t2m.sel(time=predicted.time)
        assert abs(float(error.mean())) < 3


def test_metrics_and_prepare_need_no_tensorflow(run, data_flags, tmp_path: Path) -> None:
    flags = [*data_flags, "--save_path=out", "--epochs=1"]
    run("train", "test", *flags)
    (tmp_path / "blocker").mkdir()
    (tmp_path / "blocker" / "sitecustomize.py").write_text(NO_TENSORFLOW)
    path = f"{tmp_path / 'blocker'}:{Path(__file__).resolve().parents[2]}"
    run("prepare", "check", "metrics", *flags, "--cache_dir=fresh", PYTHONPATH=path)
    assert (tmp_path / "out" / "metrics" / "summary.csv").is_file()
    run("train", *flags, "--epochs=2", PYTHONPATH=path, expect=1)


def test_other_files_without_truth_are_downscaled(run, data_flags, tmp_path: Path) -> None:
    """A trained model serves a coarse file on another grid, in other units."""
    run("train", "test", *data_flags, "--save_path=out", "--epochs=2", "--first_guess=bilinear")
    waves = xr.open_dataset(tmp_path / "waves.nc")
    coarse = waves[["t2m"]].isel(time=slice(-9, None)).interp(
        lat=np.arange(62, 49, -1.25), lon=np.arange(353, 369, 1.25) - 360,
        kwargs={"fill_value": "extrapolate"},
    )  # fmt: skip
    coarse = coarse.assign_coords(lon=coarse.lon % 360).sortby("lon")
    coarse["t2m"] = (coarse.t2m - 273.15).assign_attrs(units="degC")
    coarse.to_netcdf(tmp_path / "forecast.nc")
    run("test", "--model=out", "--input=forecast.nc", "--save_path=served", "--threads=1")
    with (
        xr.open_dataset(tmp_path / "served" / "y_hat.nc") as served,
        xr.open_dataset(tmp_path / "out" / "y_hat.nc") as own,
    ):
        np.testing.assert_array_equal(served.lat, own.lat)
        difference = served.t2m - own.t2m
        assert served.t2m.attrs["units"] == "K"
        assert float(abs(difference).mean()) < 1.5


@pytest.mark.parametrize("argv", [["--help"], ["list"]])
def test_help_answers_at_once(run, argv: list[str]) -> None:
    times = []
    for _ in range(3):
        begun = _processor_time_of_children()
        run(*argv)
        times.append(_processor_time_of_children() - begun)
    assert sorted(times)[1] < 1.0, sys.version


def _processor_time_of_children() -> float:
    """Seconds; unlike those of the clock they do not depend on what else the machine does."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
