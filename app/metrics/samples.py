"""The scores of every sample as a NetCDF file, for comparisons between runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import xarray as xr

from app.metrics.accumulate import VariableScores
from app.metrics.distribution import DistributionScores
from app.metrics.ensemble import crps_of
from app.netcdf_file import write_dataset

SUMS = ("absolute", "squares", "error")
SIMILARITIES = ("pearson", "ssim")


def write_samples(
    path: Path,
    scored: Iterable[tuple[str, VariableScores, DistributionScores]],
    times: np.ndarray,
) -> None:
    """Write sums and similarities (candidate, time) of each predictand, and weights (time).

    `scored`: label ("" or "[name]") and scores. `absolute`, `squares`, `error` and `crps` are
    area-weighted sums over the cells of |e|, e², e and the CRPS; divided by `weight` they are
    means, and sums over any choice of samples give the scores of these. `crps_2x2` and
    `weight_2x2` are those of 2×2 means. The CRPS of a single field is its absolute error.
    """
    arrays: dict[str, xr.DataArray] = {}
    for label, scores, distribution in scored:
        pooled = distribution.pooled
        weights = {"weight": scores.weight, "weight_2x2": pooled.weight}
        series = {name: scores.sample[name] for name in (*SUMS, *SIMILARITIES)}
        series["crps"] = crps_of(scores.sample["absolute"], distribution.ensemble)
        series["crps_2x2"] = pooled.crps
        coordinates = {"candidate": list(scores.candidates)}
        for name, weight in weights.items():
            arrays[name + label] = xr.DataArray(weight, dims=("time",))
        for name, values in series.items():
            arrays[name + label] = xr.DataArray(values, coordinates, dims=("candidate", "time"))
    attributes = {"title": "Scores per sample", "weighting": "cell areas, mean 1"}
    write_dataset(xr.Dataset(arrays, {"time": times}, attributes), path)
