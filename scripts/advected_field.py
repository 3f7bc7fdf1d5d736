"""What neighbouring frames are worth: windows against single frames on an advected field.

A random field drifts over the grid, ever new, by cells that are no multiple of the scale, so that
each frame samples its sub-grid structure elsewhere: what one coarse frame has lost, its neighbours
hold. The record has a gap every day. Trains, on as many frames, the spatial network and those of
windows that look both ways and back only; prints the RMSE of each on the test period, and of
windows over single frames by position in the stretches between gaps. Takes a good minute
of one core.

usage: python scripts/advected_field.py OUT [flags of the program]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import xarray as xr
from scipy import ndimage

from app.main import main

SCALE = 3
FRAMES = 5
SHAPE = (18, 27)  # fine cells
DRIFT = 1  # fine cells an hour
DAYS, HOURS_KEPT = 80, 20  # of each day
SMOOTHING = 1.5  # fine cells: structure below the coarse grid
FLAGS = [
    *("--variable=t2m", f"--scale={SCALE}", "--backbone=resnet", "--upsampling=spc"),
    *("--n_filters=8", "--n_blocks=2", "--dropout_rate=0", "--loss=mse", "--learning_rate=5e-3"),
    *("--lr_schedule=cosine", "--notensorboard", "--noverbose", "--overwrite", "--threads=1"),
]
# As many frames in a step, and about as many steps.
RUNS = {
    "single frames": ["--batch_size=40", "--epochs=25"],
    "windows": [f"--time_window={FRAMES}", "--batch_size=8", "--epochs=6"],
    "windows that look back": [
        *(f"--time_window={FRAMES}", "--batch_size=8", "--epochs=6", "--nobidirectional")
    ],
}


def advected(seed: int = 0) -> xr.Dataset:
    """A Gaussian random field that enters at one edge and leaves at the other; K, hourly."""
    hours = np.flatnonzero(np.arange(24 * DAYS) % 24 < HOURS_KEPT)
    draw = np.random.default_rng(seed)
    strip = draw.normal(size=(SHAPE[0], SHAPE[1] + DRIFT * 24 * DAYS))
    strip = ndimage.gaussian_filter(strip, SMOOTHING)
    strip = 280 + 5 * strip / strip.std()
    fields = [strip[:, DRIFT * hour : DRIFT * hour + SHAPE[1]] for hour in hours]
    return xr.Dataset(
        {"t2m": (("time", "lat", "lon"), np.asarray(fields, "float32"), {"units": "K"})},
        coords={
            "time": np.datetime64("2020-01-01") + hours * np.timedelta64(1, "h"),
            "lat": ("lat", np.arange(SHAPE[0]) * 0.25, {"units": "degrees_north"}),
            "lon": ("lon", np.arange(SHAPE[1]) * 0.25, {"units": "degrees_east"}),
        },
    )


def squared_errors(file: Path, run: Path) -> np.ndarray:
    """Mean squared error (stretches, hours) of each frame of the test period, K²."""
    with xr.open_dataset(file) as truth, xr.open_dataset(run / "y_hat.nc") as predicted:
        error = (predicted.t2m - truth.t2m.sel(time=predicted.time)).astype("float64")
        return (error**2).mean(("lat", "lon")).values.reshape(-1, HOURS_KEPT)


def compare(folder: Path, flags: list[str]) -> dict[str, np.ndarray]:
    """Squared errors of each kind of run."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "advected.nc"
    advected().to_netcdf(file)
    found = {}
    for number, (name, own) in enumerate(RUNS.items()):
        common = [f"--data={file}", f"--cache_dir={folder / 'cache'}", *FLAGS, *own, *flags]
        run = folder / f"run{number}"
        if main(["train", "test", *common, f"--save_path={run}"]) != 0:
            raise SystemExit(f"{name}: the run failed")
        found[name] = squared_errors(file, run)
    return found


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    errors = compare(Path(sys.argv[1]), sys.argv[2:])
    single = errors["single frames"]
    for name, squared in errors.items():
        ratio = np.sqrt(squared.mean() / single.mean())
        print(f"{name:<24}RMSE {np.sqrt(squared.mean()):.4f} K, {ratio:.3f} of single frames'")
        shares = np.sqrt(squared.mean(axis=0) / single.mean(axis=0))
        print(f"{'':<24}by hour of a stretch: {' '.join(f'{share:.2f}' for share in shares)}")
