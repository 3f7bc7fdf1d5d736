"""Spatio-temporal samples through the whole path: gaps, other files, arrays, several ranks."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from app.main import main
from tests.system.conftest import QUICK, awkward_pair, fields

T = 4
# 36 times train, 8 validate and 8 test, of which the first two stand alone.
KEPT = np.r_[0:20, 21:39, 40:46, 47:49, 51:57]
EXTRAS = {
    "patches": ["--patch_size=8", "--constraint=additive", "--tile_size=12", "--tile_overlap=4"],
    "adversarial": ["--trainer=CGANTrainer", "--n_disc_filters=4", "--n_disc_blocks=1"],
    "localized": ["--localcon_layer", "--backbone=densenet", "--upsampling=dc", "--attention"],
    "members": ["--dropout_variant=mcdrop", "--dropout_rate=0.3", "--members=3"],
    "causal": ["--nobidirectional", "--upsampling=pin", "--backbone=convnet", "--halo=1"],
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two variables on an odd, not square grid with a hole, their times with gaps."""
    awkward_pair(tmp_path, fields(n=60, y=13, x=18).isel(time=KEPT))
    return tmp_path


def flags(data: Path, *argv: str) -> list[str]:
    return [
        *(f"--time_window={T}", "--scale=4", "--epochs=2", "--notensorboard", "--noverbose"),
        *(f"--cache_dir={data / 'cache'}", f"--save_path={data / 'out'}"),
        *QUICK,
        *argv,
    ]


def of_file(data: Path, *argv: str) -> list[str]:
    file = data / "fine.nc"
    return flags(data, f"--data={file}", "--variable=t2m,dew", f"--static={file}:orography", *argv)


def test_every_time_is_predicted_whatever_the_gaps(
    data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The test period has stretches of fewer times than a window; the batch size is no matter."""
    assert main(["train", "test", "metrics", *of_file(data, "--verbose")]) == 0
    assert "fewer than the 4 frames of a window" in capfd.readouterr().err
    again = [f"--model={data / 'out'}", f"--save_path={data / 'again'}", "--batch_size=3"]
    assert main(["test", *of_file(data, *again)]) == 0
    with (
        xr.open_dataset(data / "fine.nc") as truth,
        xr.open_dataset(data / "out" / "y_hat.nc") as one,
        xr.open_dataset(data / "again" / "y_hat.nc") as two,
    ):
        np.testing.assert_array_equal(one.time, truth.time[-one.sizes["time"] :])
        assert (np.diff(one.time) != np.timedelta64(6, "h")).any()
        hole = (one.lat > 58) & (one.lon > 4)
        assert one.t2m.where(hole).isnull().all()
        assert one.t2m.where(~hole, 0).notnull().all()
        assert one.dew.notnull().all()
        np.testing.assert_allclose(one.dew, two.dew, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXTRAS)
def test_options_go_with_windows(name: str, data: Path) -> None:
    assert main(["train", "test", "metrics", *of_file(data, *EXTRAS[name])]) == 0
    with xr.open_dataset(data / "out" / "y_hat.nc") as predicted:
        assert ("member" in predicted.dims) == (name == "members")
        assert predicted.dew.notnull().all()
        if name == "members":
            assert float(predicted.dew_spread.min()) > 0


@pytest.mark.slow
def test_explicit_pairs_and_other_files(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """MOS with predictors and their lags; a file of other times, every twelve hours."""
    description = {
        "predictand": {"files": "fine.nc", "variables": ["t2m"]},
        "low_resolution": {"files": "coarse.nc", "variables": ["t2m"]},
        "predictors": [{"files": "coarse.nc", "variables": ["dew"], "lags": [0]}],
        "static": [{"files": "fine.nc", "variables": ["orography"]}],
    }
    (data / "data.yml").write_text(yaml.safe_dump(description))
    argv = [f"--data_config={data / 'data.yml'}", "--paired_samples=explicit"]
    extra = ["--first_guess=linear", "--time_features=hour,season"]
    assert main(["train", "test", "metrics", *flags(data, *argv, *extra)]) == 0
    with xr.open_dataset(data / "coarse.nc") as coarse:
        coarse.isel(time=slice(0, 24, 2)).to_netcdf(data / "other.nc")
    served = [f"--model={data / 'out'}", f"--input={data / 'other.nc'}", "--threads=1"]
    capfd.readouterr()
    assert main(["test", *served, f"--save_path={data / 'served'}"]) == 0
    assert "43200 s apart" in capfd.readouterr().err
    with xr.open_dataset(data / "served" / "y_hat.nc") as predicted:
        assert predicted.sizes["time"] == 12
        assert 250 < float(predicted.t2m.min()) < float(predicted.t2m.max()) < 310


def test_window_longer_than_any_stretch_ends_in_one_line(
    data: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *of_file(data, "--time_window=40")]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "--time_window=40: longer than any stretch without gaps in the split train" in line
    assert not (data / "out").exists()


MODULE = """import numpy as np
wave = np.sin(np.arange(60)[:, None, None] / 4 + np.arange(12)[:, None] / 3 + np.arange(16) / 2)
data_train, data_val, data_test = np.split(wave[..., None], [36, 48])
static_vars = [np.arange(12)[:, None] + np.arange(16.0)]
"""


@pytest.mark.slow
def test_arrays_are_taken_as_consecutive_frames(data: Path) -> None:
    (data / "module.py").write_text(MODULE)
    argv = flags(data, f"--data_module={data / 'module.py'}")
    assert main(["train", "test", "metrics", *argv]) == 0
    with xr.open_dataset(data / "out" / "y_hat.nc") as predicted:
        assert predicted.sizes["time"] == 12
        assert predicted.y.notnull().all()


@pytest.mark.slow
@pytest.mark.parallel
def test_two_ranks_train_together_and_predict_what_one_does(run, data: Path) -> None:
    argv = of_file(data, "--normalization=bn")
    run("train", "test", *argv, ranks=2)
    run("test", *argv, f"--model={data / 'out'}", f"--save_path={data / 'one'}")
    with (
        xr.open_dataset(data / "out" / "y_hat.nc") as two,
        xr.open_dataset(data / "one" / "y_hat.nc") as one,
    ):
        np.testing.assert_array_equal(one.time, two.time)
        np.testing.assert_array_equal(one.dew, two.dew)
