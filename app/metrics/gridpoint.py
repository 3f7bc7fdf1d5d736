"""The scores of every grid point as a CF NetCDF file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from app.netcdf_file import write_dataset

if TYPE_CHECKING:
    from app.grids import Grid
    from app.metrics.results import VariableResult

DEFINITIONS = {
    "mae": ("mean absolute error", "mean over time of |prediction - truth|"),
    "rmse": (
        "root mean square error",
        "square root taken after the mean over time of (prediction - truth)^2",
    ),
    "bias": ("mean error", "mean over time of prediction - truth"),
    "nrmse": (
        "root mean square error over the truth's standard deviation",
        "rmse of the grid point / population standard deviation of its truth over time",
    ),
    "pearson": ("Pearson correlation over time", "population moments over time"),
    "spearman": ("Spearman correlation over time", "Pearson correlation of ranks, ties averaged"),
}
WITH_UNITS = ("mae", "rmse", "bias")


def write_gridpoint(path: Path, results: Iterable[VariableResult], grid: Grid) -> None:
    """Write each metric as (candidate, lat, lon), in the orientation of the user's files."""
    results = tuple(results)
    names = list(dict.fromkeys(name for result in results for name in result.candidates))
    arrays = {
        _name(metric, result): _array(metric, result, names, grid)
        for result in results
        for metric in DEFINITIONS
    }
    attributes = {
        "Conventions": "CF-1.11",
        "title": "Scores per grid point",
        "weighting": "none: every score is over the samples of one grid point",
        "order_of_reduction": "mean over time first, then roots and ratios",
        "validity": "samples where the truth and every candidate are valid",
    }
    coordinates = {**grid.coords(flip=True), "candidate": names}
    write_dataset(xr.Dataset(arrays, coordinates, attributes), path)


def _name(metric: str, result: VariableResult) -> str:
    return f"{metric}_{result.variable.name}" if result.label else metric


def _array(metric: str, result: VariableResult, names: list[str], grid: Grid) -> xr.DataArray:
    values = np.full((len(names), *grid.shape), np.nan)
    values[[names.index(name) for name in result.candidates]] = result.maps[metric]
    long_name, estimator = DEFINITIONS[metric]
    units = result.variable.units if metric in WITH_UNITS else "1"
    attributes = {
        "long_name": f"{long_name} of {result.variable.name}",
        "units": units or "1",
        "estimator": estimator,
    }
    return xr.DataArray(grid.restore(values), dims=("candidate", *grid.dims), attrs=attributes)
