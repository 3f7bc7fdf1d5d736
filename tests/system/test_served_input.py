"""One trained model, served with files that end short, lack values or units, or have a truth."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from app.main import main
from tests.system.conftest import QUICK

LAT, LON = np.arange(40, 48, 0.5), np.arange(-4, 4, 0.5)
COARSE_LAT, COARSE_LON = np.arange(36.0, 54, 2), np.arange(-10.0, 12, 2)


def waves(lat: np.ndarray, lon: np.ndarray, n: int, start: str = "2020-01-01") -> xr.Dataset:
    """Temperature linear in space, to 1e-4 K what interpolation gives."""
    hour = np.arange(n)[:, None, None]
    values = 280 + 0.3 * lat[:, None] + 0.2 * lon + 3 * np.sin(hour / 4)
    return xr.Dataset(
        {"t2m": (("time", "lat", "lon"), values.astype("f4"), {"units": "K"})},
        {
            "time": pd.date_range(start, periods=n, freq="h"),
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train.nc, cache and run."""
    folder = tmp_path_factory.mktemp("served")
    waves(LAT, LON, 200).to_netcdf(folder / "train.nc")
    argv = [f"--data={folder / 'train.nc'}", "--variable=t2m", "--epochs=1"]
    assert run(folder, "train", *argv, "--first_guess=bilinear", "--save_path=run") == 0
    return folder


def run(folder: Path, *argv: str) -> int:
    stages = [word for word in argv if not word.startswith("--")]
    given = [a.replace("--save_path=", f"--save_path={folder}/") for a in argv if a not in stages]
    common = [f"--cache_dir={folder / 'cache'}", "--scale=4", "--notensorboard", *QUICK]
    return main([*stages, *given, *common])


def served(
    folder: Path, data: xr.Dataset, name: str, *argv: str
) -> tuple[int, xr.DataArray | None]:
    data.to_netcdf(folder / f"{name}.nc")
    given = [f"--model={folder / 'run'}", f"--input={folder / name}.nc", f"--save_path={name}"]
    code = run(folder, "test", *given, *argv)
    if code:
        return code, None
    with xr.open_dataset(folder / name / "y_hat.nc") as found:
        return code, found["t2m"].load()


def test_an_input_that_ends_short(trained, capsys):
    short = waves(COARSE_LAT[COARSE_LAT <= 42], COARSE_LON, 10)
    assert served(trained, short, "short")[0] == 2
    said = capsys.readouterr().err
    assert "50 % of the coarse cells (8 of 16) lie outside it: it ends at 42 N, 47.5 N is" in said
    code, fields = served(trained, short, "short", "--uncovered=mask")
    assert code == 0
    np.testing.assert_array_equal(
        fields.isnull(), np.broadcast_to(LAT[:, None] >= 44, fields.shape)
    )


def test_messages_name_the_files_that_hold_the_input(trained, capsys):
    """The files of a glob that hold other variables come first."""
    other = waves(COARSE_LAT, COARSE_LON, 10).rename(t2m="other")
    other.to_netcdf(trained / "part_a.nc")
    short = waves(COARSE_LAT[COARSE_LAT <= 42], COARSE_LON, 10)
    short.isel(time=slice(5)).to_netcdf(trained / "part_b.nc")
    short.isel(time=slice(5, 10)).to_netcdf(trained / "part_c.nc")
    argv = [f"--model={trained / 'run'}", f"--input={trained / 'part_*.nc'}", "--save_path=parts"]
    assert run(trained, "test", *argv) == 2
    said = capsys.readouterr().err
    assert f"--input {trained / 'part_b.nc'} (and 1 more): 50 % of the coarse cells" in said


def test_gaps_and_missing_units(trained, capsys):
    whole = waves(COARSE_LAT, COARSE_LON, 10)
    gap = whole.copy(deep=True)
    east = (COARSE_LON == 0) | (COARSE_LON == 2)
    gap["t2m"].loc[{"time": gap.time[2:4], "lat": 44, "lon": COARSE_LON[east]}] = np.nan
    _, fields = served(trained, gap, "gap")
    said = capsys.readouterr().err
    assert "1 of 16 coarse cells of the input (6.25 %) are missing at some or all times" in said
    _, full = served(trained, whole, "whole")
    missing = np.zeros(fields.shape, bool)
    missing[2:4, 8:12, 8:12] = True  # 44 to 45.5 N, 0 to 1.5 E
    np.testing.assert_array_equal(fields.isnull(), missing)
    np.testing.assert_allclose(fields.where(~missing, full), full, atol=1.5)
    celsius = whole - 273.15
    celsius["t2m"].attrs = {}
    assert "lie outside" not in capsys.readouterr().err
    served(trained, celsius, "celsius")
    said = capsys.readouterr().err
    assert "t2m has no units; it is taken to be in K, as in training" in said
    assert "t2m: 100 % of the input's values lie outside the range of training" in said


def test_times_that_the_model_was_trained_on_are_told(trained, capsys):
    argv = [f"--data={trained / 'train.nc'}", "--variable=t2m", "--splits=test"]
    argv += [f"--model={trained / 'run'}", "--save_path=known"]
    assert run(trained, "test", "metrics", *argv) == 0
    said = "140 of the 200 times scored, the first 2020-01-01T00:00, are in the training period of"
    assert said in capsys.readouterr().err


def test_a_whole_new_record_is_scored(trained, capsys):
    """Southward and of other years; the baselines are fitted to the model's training period."""
    new = waves(LAT, LON, 80, "2021-01-01")
    (new.isel(lat=slice(None, None, -1)) + 1).t2m.assign_attrs(units="K").to_netcdf(
        trained / "new.nc"
    )
    argv = [f"--data={trained / 'new.nc'}", "--variable=t2m", "--splits=test", "--save_path=new"]
    model = f"--model={trained / 'run'}"
    assert run(trained, "test", "metrics", model, *argv) == 0
    table = pd.read_csv(trained / "new" / "metrics" / "summary.csv", index_col=0)
    assert {"bilinear", "climatology", "bias_corrected", "linear"} <= {*table.columns}
    assert "baselines are fitted to the training period of" in capsys.readouterr().err
    assert run(trained, "metrics", *argv) == 0
    assert "baselines that are fitted to a training period are left out" in capsys.readouterr().err
    table = pd.read_csv(trained / "new" / "metrics" / "summary.csv", index_col=0)
    assert "bicubic" in table.columns
    assert "linear" not in table.columns
    assert "are in the training period" not in capsys.readouterr().err
    wrong = [a.replace("--save_path=new", "--save_path=wrong") for a in argv]
    assert run(trained, "test", model, *wrong, "--units=degC") == 2
    assert "expects t2m in K; the data have it in degC" in capsys.readouterr().err


def test_a_bundle_serves_as_the_run_does(trained, capsys):
    bundle = trained / "bundle"
    assert main(["bundle", str(trained / "run"), f"--output={bundle}", "--license=mit"]) == 0
    assert {path.name for path in bundle.iterdir()} == {
        *("README.md", "model.json", "model.keras", "experiment.cfg", "provenance.json"),
        *("input_climate.nc", "sample_input.nc"),
    }
    found = []
    for model in ("run", "bundle"):
        given = [f"--model={trained / model}", f"--input={bundle / 'sample_input.nc'}"]
        assert run(trained, "test", *given, f"--save_path=by_{model}") == 0
        with xr.open_dataset(trained / f"by_{model}" / "y_hat.nc") as fields:
            found.append(fields["t2m"].load())
    np.testing.assert_array_equal(*found)
    assert found[0].sizes["time"] == 8
    capsys.readouterr()
    assert main(["models", str(trained)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [Path(line.split()[0]).name for line in lines] == ["bundle", "run"]
    assert "licence mit" in lines[0]
    assert main(["bundle", str(trained / "run"), f"--output={bundle}"]) == 2
    assert "--overwrite to replace it" in capsys.readouterr().err
