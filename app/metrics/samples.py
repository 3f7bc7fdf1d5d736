"""The scores of every sample as a NetCDF file, for comparisons between runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import xarray as xr

from app.metrics.accumulate import VariableScores

SUMS = ("absolute", "squares", "error")
SIMILARITIES = ("pearson", "ssim")


def write_samples(
    path: Path, scored: Iterable[tuple[str, VariableScores]], times: np.ndarray
) -> None:
    """Write `weight` (time) and sums and similarities (candidate, time) of each predictand.

    `scored`: label ("" or "[name]") and scores. `absolute`, `squares` and `error` are
    area-weighted sums over the cells of |e|, e² and e; divided by `weight` they are means, and
    sums over any choice of samples give the scores of these.
    """
    arrays: dict[str, xr.DataArray] = {}
    for label, scores in scored:
        arrays[f"weight{label}"] = xr.DataArray(scores.weight, dims=("time",))
        coordinates = {"candidate": list(scores.candidates)}
        for name in (*SUMS, *SIMILARITIES):
            arrays[name + label] = xr.DataArray(
                scores.sample[name], coordinates, dims=("candidate", "time")
            )
    attributes = {"title": "Scores per sample", "weighting": "cell areas, mean 1"}
    xr.Dataset(arrays, {"time": times}, attributes).to_netcdf(path)
