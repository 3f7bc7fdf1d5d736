"""Rain of which nothing is said: no method predicts any below 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from app.data.shards import Shards
from app.main import main
from app.registry import REGISTRY
from tests.system.conftest import QUICK

NETWORK = [flag for flag in QUICK if not flag.startswith(("--n_filters", "--n_blocks"))]
SPACE = ["--scale=2", "--n_filters=4", "--n_blocks=1"]
EXTRA = {
    "SupervisedTrainer": SPACE,
    "CGANTrainer": [*SPACE, "--n_disc_filters=4", "--n_disc_blocks=1"],
    "DiffusionTrainer": [
        *("--scale=2", "--recipe=ensemble", "--n_channels=4", "--channel_multipliers=1"),
        *("--attention_levels=F", "--members=2", "--sampling_steps=2"),
    ],
    "CRPSTrainer": [*SPACE, "--recipe=ensemble", "--members=2"],
    "DeepSDTrainer": ["--scale=2", "--srcnn_filters=4,4"],
    "TemDeepTrainer": ["--input_step=3h", "--target_step=1h", "--flow=false", *SPACE[1:]],
}
SLOW = ("DiffusionTrainer", "TemDeepTrainer")


def rain(path: Path, shift: float = 0.0) -> None:
    """Showers of hourly amounts (m), of which more than half are 0, on 8 × 8 cells."""
    rng = np.random.default_rng(0)
    amounts = np.maximum(rng.normal(-3e-4, 1e-3, (96, 8, 8)), 0) + shift
    coords = {
        "time": np.datetime64("2020-01-01", "ns") + np.arange(96) * np.timedelta64(1, "h"),
        "lat": 50 + 0.25 * np.arange(8),
        "lon": 5 + 0.25 * np.arange(8),
    }
    field = xr.DataArray(amounts, coords, ("time", "lat", "lon"), "tp", {"units": "m"})
    field.to_netcdf(path)


@pytest.mark.parametrize(
    "trainer",
    [
        pytest.param(name, marks=pytest.mark.slow if name in SLOW else ())
        for name in REGISTRY.names("trainer")
    ],
)
def test_no_rain_below_zero(trainer: str, tmp_path: Path) -> None:
    """After one epoch networks still predict values of either sign."""
    rain(tmp_path / "rain.nc")
    argv = ["train", "test", f"--data={tmp_path / 'rain.nc'}", "--variable=tp", "--epochs=1"]
    folders = [f"--save_path={tmp_path / 'run'}", f"--cache_dir={tmp_path / 'cache'}"]
    flags = [f"--trainer={trainer}", *NETWORK, *EXTRA[trainer], "--noverbose", "--notensorboard"]
    assert main([*argv, *folders, *flags]) == 0
    with xr.open_dataset(tmp_path / "run" / "y_hat.nc") as predicted:
        values = predicted["tp"].values
    assert np.isfinite(values).all()
    assert values.min() >= 0
    assert values.max() > 0


@pytest.mark.parametrize(
    ("shift", "flags", "bound"),
    [
        (0.0, [], 0.0),
        (-1e-6, [], 0.0),  # as packing leaves it
        (-1e-3, [], None),  # anomalies
        (0.0, ["--valid_min=0.001"], 0.001),
        (0.0, ["--transform=log1p", "--transform_scale=0.001"], 0.0),
    ],
)
def test_the_bound_is_told_by_the_values_unless_it_is_given(
    shift: float, flags: list[str], bound: float | None, tmp_path: Path
) -> None:
    rain(tmp_path / "rain.nc", shift)
    argv = ["prepare", f"--data={tmp_path / 'rain.nc'}", "--variable=tp", "--scale=2", *flags]
    assert main([*argv, f"--cache_dir={tmp_path / 'cache'}"]) == 0
    (folder,) = (path.parent for path in (tmp_path / "cache").rglob("manifest.json"))
    shards = Shards.open(folder)
    (variable,) = shards.predictands
    assert variable.valid_min == bound
    told = ("interval", None) if bound is None else ("ratio", "1h")
    assert (variable.kind, variable.accumulation) == told
    assert shards.variables["hr"][0].valid_min == (
        bound if flags[:1] == ["--valid_min=0.001"] else None
    )
