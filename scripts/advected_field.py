"""What neighbouring frames are worth: windows against single frames on an advected field.

A random field drifts over the grid, ever new, by cells that are no multiple of the scale, so that
each frame samples its sub-grid structure elsewhere: what one coarse frame has lost, its neighbours
hold. Trains a network of windows and the spatial network of the same flags, for as many frames
seen, and prints the RMSE of each on the test period, their ratio, and the error by position in the
record.

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
DRIFT = 1  # fine cells a frame
HOURS = 700
SMOOTHING = 1.5  # fine cells: structure below the coarse grid
FLAGS = [
    *("--variable=t2m", f"--scale={SCALE}", "--backbone=resnet", "--upsampling=spc"),
    *("--n_filters=8", "--n_blocks=2", "--dropout_rate=0", "--loss=mse", "--learning_rate=5e-3"),
    *("--lr_schedule=cosine", "--notensorboard", "--noverbose", "--overwrite", "--threads=1"),
]
# As many frames in a step and as many steps for both.
SINGLE = ["--batch_size=40", "--epochs=50"]
WINDOW = [f"--time_window={FRAMES}", "--batch_size=8", "--epochs=10"]


def advected(seed: int = 0) -> xr.Dataset:
    """A Gaussian random field that enters at one edge and leaves at the other; K, hourly."""
    draw = np.random.default_rng(seed)
    long = ndimage.gaussian_filter(
        draw.normal(size=(SHAPE[0], SHAPE[1] + DRIFT * HOURS)), SMOOTHING
    )
    long = 280 + 5 * long / long.std()
    fields = [long[:, DRIFT * t : DRIFT * t + SHAPE[1]] for t in range(HOURS)]
    return xr.Dataset(
        {"t2m": (("time", "lat", "lon"), np.asarray(fields, "float32"), {"units": "K"})},
        coords={
            "time": np.datetime64("2020-01-01") + np.arange(HOURS) * np.timedelta64(1, "h"),
            "lat": ("lat", np.arange(SHAPE[0]) * 0.25, {"units": "degrees_north"}),
            "lon": ("lon", np.arange(SHAPE[1]) * 0.25, {"units": "degrees_east"}),
        },
    )


def errors(file: Path, run: Path) -> np.ndarray:
    """RMSE (n,) of each frame of the test period."""
    with xr.open_dataset(file) as truth, xr.open_dataset(run / "y_hat.nc") as predicted:
        difference = predicted.t2m - truth.t2m.sel(time=predicted.time)
        return np.sqrt((difference.astype("float64") ** 2).mean(("lat", "lon"))).values


def compare(folder: Path, flags: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """RMSE of each test frame by the network of single frames, and by that of windows."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "advected.nc"
    advected().to_netcdf(file)
    found = []
    for name, own in (("single", SINGLE), ("window", WINDOW)):
        common = [f"--data={file}", f"--cache_dir={folder / 'cache'}", *FLAGS, *own, *flags]
        if main(["train", "test", *common, f"--save_path={folder / name}"]) != 0:
            raise SystemExit(f"{name}: the run failed")
        found.append(errors(file, folder / name))
    return found[0], found[1]


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    single, window = compare(Path(sys.argv[1]), sys.argv[2:])
    one, several = (float(np.sqrt((each**2).mean())) for each in (single, window))
    print(f"RMSE of single frames {one:.4f} K, of windows {several:.4f} K: {several / one:.3f}")
    share = (window / single)[2:-2]
    ends = window / single
    print(f"windows over single, by position: first {ends[:3].round(3)}, last {ends[-3:].round(3)}")
    print(f"  thirds of the rest {[round(float(p.mean()), 3) for p in np.array_split(share, 3)]}")
    phases = [round(float(share[phase::FRAMES].mean()), 3) for phase in range(FRAMES)]
    print(f"  by position modulo {FRAMES}: {phases}")
