"""`import app` from Python: the numbers and refusals of the command line, nothing left behind."""

import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import app
from app.main import main
from app.running.status import read_status
from tests.system.test_downscaling_in_time import described
from tests.system.test_downscaling_in_time import waves as moving_waves
from tests.system.test_served_input import COARSE_LAT, COARSE_LON, LAT, LON, waves

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL: dict[str, Any] = {
    **{"variable": "t2m", "scale": 4, "epochs": 1, "n_filters": 4, "n_blocks": 1},
    **{"recipe": "dl4ds", "dropout_rate": 0, "batch_size": 4, "threads": 1, "tensorboard": False},
}
HEAVY = ("numpy", "xarray", "pandas", "keras", "tensorflow")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> app.Run:
    """A run of one epoch, beside the file it was trained on."""
    folder = tmp_path_factory.mktemp("door")
    waves(LAT, LON, 200).to_netcdf(folder / "train.nc")
    return app.fit(stages=["train"], **given(folder), save_path=folder / "run")


def given(folder: Path, **options: Any) -> dict[str, Any]:
    return {"data": folder / "train.nc", "cache_dir": folder / "cache", **SMALL, **options}


def coarse(n: int = 12) -> xr.Dataset:
    return waves(COARSE_LAT, COARSE_LON, n, "2021-01-01")


def from_command_line(run: app.Run, data: xr.Dataset, folder: Path, *argv: str) -> xr.DataArray:
    data.to_netcdf(folder / "input.nc")
    command = [f"--model={run.folder}", f"--input={folder / 'input.nc'}", "--threads=1"]
    command += [f"--save_path={folder / 'out'}", f"--cache_dir={folder}"]
    assert main(["test", *command, *argv]) == 0
    with xr.open_dataset(folder / "out" / "y_hat.nc") as found:
        return found["t2m"].load()


def test_import_takes_nothing_heavy_in() -> None:
    lines = f"import sys, app; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_import_takes_less_than_50_ms() -> None:
    """The least of several, as other processes only ever add to it."""
    lines = "import time; t = time.perf_counter(); import app; print(time.perf_counter() - t)"
    command = [sys.executable, "-c", lines]
    taken = [float(subprocess.check_output(command, text=True)) for _ in range(5)]
    assert min(taken) < 0.05


def test_there_is_no_other_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        _ = app.lod


def test_predicts_what_the_command_line_does(trained: app.Run, tmp_path: Path) -> None:
    expected = from_command_line(trained, coarse(), tmp_path, "--tile_size=16", "--tile_overlap=4")
    fine = trained.model.predict(coarse(), tile_size=16, tile_overlap=4, threads=1)
    np.testing.assert_array_equal(fine.t2m.values, expected.values)
    assert fine.t2m.attrs["units"] == "K"
    assert fine.attrs["Conventions"].startswith("CF-")
    assert fine.attrs["history"].endswith(
        "predict(members=1, seed=0, tile_overlap=4, threads=1, tile_size=16)"
    )
    again = trained.model.predict(tmp_path / "input.nc", tile_size=16, tile_overlap=4)
    xr.testing.assert_identical(fine.t2m, again.t2m)


def test_another_order_and_another_unit_make_no_difference(trained: app.Run) -> None:
    """Descending latitudes, longitudes of 0 to 360, degrees Celsius, another name."""
    fine = trained.model.predict(coarse())
    other = (coarse().t2m - 273.15).assign_attrs(units="degC").rename("tas")
    other = other.isel(lat=slice(None, None, -1)).assign_coords(lon=other.lon % 360).sortby("lon")
    found = trained.model.predict(other)
    np.testing.assert_allclose(found.t2m.values, fine.t2m.values, atol=1e-3)


def test_values_are_read_as_they_are_now(trained: app.Run, tmp_path: Path) -> None:
    """A dataset from a packed file has changed since: its packing would not hold the values."""
    packing = {"dtype": "i2", "scale_factor": 0.01, "add_offset": 290.0, "_FillValue": -1}
    coarse().to_netcdf(tmp_path / "packed.nc", encoding={"t2m": packing})
    with xr.open_dataset(tmp_path / "packed.nc") as data:
        warmer = data.assign(t2m=(data.t2m + 400).assign_attrs(units="K"))
        plain = xr.Dataset({"t2m": (data.t2m.dims, warmer.t2m.values, {"units": "K"})}, data.coords)
        found = trained.model.predict(warmer)
    xr.testing.assert_equal(found.t2m, trained.model.predict(plain).t2m)


@pytest.mark.parametrize("case", ["short", "unit", "name"])
def test_refuses_in_the_words_of_the_command_line(
    case: str, trained: app.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = {
        "short": coarse().isel(lat=slice(4, None)),
        "unit": coarse().assign(t2m=coarse().t2m.assign_attrs(units="Pa")),
        "name": coarse().rename(t2m="pressure"),
    }[case]
    data.to_netcdf(tmp_path / "input.nc")
    argv = [f"--model={trained.folder}", f"--input={tmp_path / 'input.nc'}", "--threads=1"]
    assert main(["test", *argv, f"--save_path={tmp_path / 'o'}", f"--cache_dir={tmp_path}"]) == 2
    line = capsys.readouterr().err.splitlines()[-1].removeprefix("finescale: ")
    with pytest.raises(app.InputError) as refusal:
        trained.model.predict(data)
    assert str(refusal.value) == line.replace(str(tmp_path / "input.nc"), "the data given")
    assert "\n" not in str(refusal.value)


def test_what_is_no_model_and_what_netcdf_cannot_hold(trained: app.Run, tmp_path: Path) -> None:
    with pytest.raises(app.InputError, match="no trained model at"):
        app.load(tmp_path)
    (tmp_path / "junk.keras").write_text("no model")
    with pytest.raises(app.InputError, match=r"not a \.keras file"):
        app.load(tmp_path / "junk.keras")
    odd = coarse().assign(odd=("time", np.array([{}] * 12, dtype=object)))
    with pytest.raises(app.InputError, match="cannot be written as NetCDF"):
        trained.model.predict(odd)
    with pytest.raises(app.InputError, match="without a name"):
        trained.model.predict(coarse().t2m.rename(None))
    with pytest.raises(app.InputError, match="unknown flag 'tile_sise'"):
        trained.model.predict(coarse(), tile_sise=16)


def test_the_process_is_left_as_it_was(trained: app.Run) -> None:
    def state() -> tuple[Any, ...]:
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        root, own = logging.getLogger(), logging.getLogger("absl")
        drawn = random.getstate(), np.random.get_state()[1].tolist()
        return handlers, list(root.handlers), root.level, own.level, drawn, sys.stdout

    before = state()
    trained.model.predict(coarse(), seed=3)
    with pytest.raises(app.InputError):
        trained.model.predict(coarse().rename(t2m="x"))
    assert state() == before


def test_ctrl_c_ends_a_training_that_can_go_on(tmp_path: Path) -> None:
    waves(LAT, LON, 200).to_netcdf(tmp_path / "train.nc")
    options = given(tmp_path, epochs=2000, save_path=tmp_path / "run", checkpoint_every=2)

    def press() -> None:
        while not (tmp_path / "run" / "checkpoints" / "last").exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        app.fit(stages=["train"], **options)
    thread.join()
    assert read_status(tmp_path / "run")["state"] == "interrupted"
    assert not (tmp_path / "run" / ".lock").exists()


def test_scores_are_those_worked_out_by_hand(tmp_path: Path) -> None:
    """One side in other units, the other way round, with times that the other lacks."""
    truth = waves(LAT, LON, 30)
    rng = np.random.default_rng(0)
    guess = truth.t2m + rng.normal(0.5, 1, truth.t2m.shape).astype("f4")
    error = (guess - truth.t2m).values[2:].astype(float)
    weight = np.sin(np.radians(LAT + 0.25)) - np.sin(np.radians(LAT - 0.25))
    weight = np.broadcast_to((weight / weight.mean())[:, None], error.shape[1:])
    other = (guess - 273.15).assign_attrs(units="degC").rename("tas").isel(time=slice(2, None))
    table = app.score(truth, other.isel(lat=slice(None, None, -1)))
    assert table.value["bias"] == pytest.approx((weight * error).mean(), rel=1e-4)
    assert table.value["rmse"] == pytest.approx(np.sqrt((weight * error**2).mean()), rel=1e-4)
    assert table.unit["rmse"] == table.attrs["units"]["rmse"] == "K"
    assert any(line.startswith("mae, rmse, bias:") for line in table.attrs["definitions"])
    truth.to_netcdf(tmp_path / "truth.nc")
    other.to_netcdf(tmp_path / "other.nc")
    pd.testing.assert_frame_equal(table, app.score(tmp_path / "truth.nc", tmp_path / "other.nc"))


def test_scores_of_members_and_of_what_does_not_fit() -> None:
    truth = waves(LAT, LON, 8)
    members = xr.concat([truth.t2m, truth.t2m + 1], "member").to_dataset()
    # Fair CRPS of two members, 0 and d away: (0 + d) / 2 - d / 2 = 0.
    assert app.score(truth, members).value["crps"] == pytest.approx(0, abs=1e-5)
    with pytest.raises(app.InputError, match="lies on another grid"):
        app.score(truth, truth.isel(lat=slice(2, None)))
    with pytest.raises(app.InputError, match="no time in common"):
        app.score(truth, waves(LAT, LON, 8, "1990-01-01"))
    with pytest.raises(app.InputError, match="no q in both"):
        app.score(truth, truth, variable="q")
    with pytest.raises(app.InputError, match="cannot convert"):
        app.score(truth, truth.assign(t2m=truth.t2m.assign_attrs(units="Pa")))


@pytest.mark.slow
def test_keras_loads_a_model_once_app_is_imported(trained: app.Run, tmp_path: Path) -> None:
    lines = (
        "import {first}, {second}\n"
        f"model = keras.saving.load_model({str(trained.folder / 'model.keras')!r})\n"
        "print(type(model).__name__, 'app.models' in __import__('sys').modules)"
    )
    for first, second in (("app", "keras"), ("keras", "app")):
        script = lines.format(first=first, second=second)
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "KERAS_BACKEND": "tensorflow"},
            capture_output=True,
            text=True,
        )
        assert done.stdout.split() == ["PhysicalModel", "True"], done.stderr


@pytest.mark.slow
def test_a_whole_session_and_one_that_is_extended(tmp_path: Path) -> None:
    waves(LAT, LON, 200).to_netcdf(tmp_path / "train.nc")
    (tmp_path / "own.cfg").write_text("--epochs=7\n--first_guess=bilinear\n")
    options = given(tmp_path, save_path=tmp_path / "run")
    run = app.fit(tmp_path / "own.cfg", **options)
    assert list(run.history.index) == [1]
    assert run.table.attrs["units"]["psnr"] == "dB"
    assert run.table.columns[:2].tolist() == ["unit", "model"]
    with xr.open_dataset(tmp_path / "train.nc") as data, run.prediction as fine:
        scores = app.score(data.load(), fine.load(), threads=1)
        baseline_free = scores.value["rmse"]
    assert run.table.model["rmse"] == pytest.approx(baseline_free, rel=1e-6)
    more = app.fit(tmp_path / "own.cfg", stages=["train"], **{**options, "epochs": 2})
    assert list(more.history.index) == [1, 2]
    with pytest.raises(app.InputError, match="made with other flags"):
        app.fit(tmp_path / "own.cfg", stages=["train"], **{**options, "n_filters": 5})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("own", "drawn"),
    [
        (
            "--trainer=DiffusionTrainer --n_channels=8 --channel_multipliers=1,2 "
            "--is_attention=F,F --unet_blocks=1 --interpolation=bilinear",
            {"members": 2, "sampling_steps": 2, "seed": 5},
        ),
        ("--trainer=DeepSDTrainer --srcnn_filters=4,4 --srcnn_kernels=3,3,3", {}),
    ],
    ids=["diffusion", "stack"],
)
def test_models_that_draw_and_stacks(own: str, drawn: dict[str, int], tmp_path: Path) -> None:
    waves(LAT, LON, 60).to_netcdf(tmp_path / "train.nc")
    argv = [f"--data={tmp_path / 'train.nc'}", "--variable=t2m", "--scale=4", "--debug"]
    argv += ["--threads=1", "--batch_size=4", f"--cache_dir={tmp_path / 'cache'}"]
    run = app.Run(tmp_path / "run")
    assert main(["train", *argv, *own.split(), f"--save_path={run.folder}"]) == 0
    asked = [f"--{name}={value}" for name, value in drawn.items()]
    expected = from_command_line(run, coarse(), tmp_path, *asked)
    fine = run.model.predict(coarse(), threads=1, **drawn)
    np.testing.assert_array_equal(fine.t2m.values, expected.values)
    assert expected.sizes.get("member", 1) == drawn.get("members", 1)


@pytest.mark.slow
def test_models_in_time(tmp_path: Path) -> None:
    flags = [*described(tmp_path, moving_waves()), "--debug", "--pretrain_epochs=0", "--noflow"]
    assert main(["train", *flags, f"--save_path={tmp_path / 'run'}"]) == 0
    known = moving_waves().isel(time=slice(0, 25, 3))
    model = app.load(tmp_path / "run")
    filled = model.predict(known, target_step="1h", threads=1)
    assert filled.sizes["time"] == 25
    np.testing.assert_array_equal(filled.x.values[::3], known.x.values)
    some = model.predict(known, times=[np.datetime64("2020-01-01T01"), "2020-01-01T02"])
    np.testing.assert_array_equal(some.x.values, filled.x.values[1:3])
