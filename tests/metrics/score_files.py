"""Files of per-sample scores, written by hand."""

from pathlib import Path

import numpy as np
import xarray as xr


def samples(path: Path, squares: np.ndarray, start: str = "2001-01-01") -> Path:
    """Per-sample scores of a model on cells of total weight 2, all samples alike weighted."""
    values = np.stack([squares * 2, np.full(len(squares), 8.0)])
    weight = ("time", np.full(len(squares), 2.0))
    data = {"squares": (("candidate", "time"), values), "weight": weight}
    times = np.datetime64(start) + np.arange(len(squares)).astype("timedelta64[D]")
    coordinates = {"time": times.astype("datetime64[ns]"), "candidate": ["model", "linear"]}
    xr.Dataset(data, coordinates).to_netcdf(path)
    return path
