"""Coarse files of another source, corrected by the climate of the training inputs."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from app.main import main
from tests.system.conftest import QUICK, fields


@pytest.mark.slow
def test_a_shifted_source_gives_what_the_true_one_does_and_its_trend_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = fields(n=200)
    data.to_netcdf(tmp_path / "waves.nc")
    (data + 5).to_netcdf(tmp_path / "biased.nc")
    warm = (data + 7).assign_coords(time=data.time + np.timedelta64(3650, "D"))
    warm.to_netcdf(tmp_path / "later.nc")
    for name in ("biased", "later"):
        with xr.open_dataset(tmp_path / f"{name}.nc") as shifted:
            shifted.load()
        shifted.t2m.attrs["units"] = "K"
        shifted.to_netcdf(tmp_path / f"{name}.nc")
    common = [*QUICK, f"--cache_dir={tmp_path / 'cache'}", "--notensorboard"]
    run = f"--save_path={tmp_path / 'run'}"
    source = [f"--data={tmp_path / 'waves.nc'}", "--variable=t2m", "--scale=4"]
    assert main(["train", *source, *common, run, "--epochs=1", "--first_guess=bilinear"]) == 0

    def served(name: str, *argv: str) -> float:
        out = tmp_path / f"out_{name}_{len(argv)}"
        given = [f"--model={tmp_path / 'run'}", f"--input={tmp_path / name}.nc"]
        assert main(["test", *given, *common, f"--save_path={out}", *argv]) == 0
        with xr.open_dataset(out / "y_hat.nc") as found:
            return float(found["t2m"].mean())

    true, plain = served("waves"), served("biased")
    assert plain - true == pytest.approx(5, abs=1)
    mapped = served("biased", "--input_correction=quantile_mapping")
    assert mapped == pytest.approx(true, abs=0.5)
    trend = ["--input_correction=trend_preserving", f"--input_reference={tmp_path / 'biased.nc'}"]
    assert served("later", *trend) - true == pytest.approx(2, abs=0.5)
    argv = [f"--model={tmp_path / 'run'}", f"--input={tmp_path / 'later.nc'}", trend[0]]
    assert main(["test", *argv, *common, f"--save_path={tmp_path / 'none'}"]) == 2
    assert "expected --input_reference" in capsys.readouterr().err
