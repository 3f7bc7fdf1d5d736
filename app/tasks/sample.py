"""A few fields of the test period, as a file that a trained model takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from app.data.cf_attributes import attributes_of
from app.errors import InputError
from app.running.netcdf_file import TIME, conventional
from app.tasks.task import TEST

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.grids import Grid

TIMES = 8  # in the sample, at most


def sample_fields(shards: Shards, roles: Sequence[str], grid: Grid) -> xr.Dataset:
    """The first gapless times of some roles' fields, on their grid.

    InputError where there are no times, or a variable is one level of several in its file.
    """
    if not shards.has_times or TEST not in shards.splits:
        raise InputError("the data have no times, or no test period")
    rows = np.flatnonzero(shards.segments(TEST) == shards.segments(TEST)[0])[:TIMES]
    coordinates = {**grid.coords(flip=True), TIME: shards.times(TEST)[rows]}
    fields = {}
    for role in roles:
        variables = shards.variables.get(role, ())
        if not variables:
            continue
        values = shards.read(role, TEST, rows)
        for channel, variable in enumerate(variables):
            if variable.level is not None:
                raise InputError(f"{variable.name} is a level of {variable.source_name}")
            own = grid.restore(values[..., channel])
            names = (TIME, *grid.dims)
            fields[variable.name] = xr.DataArray(own, dims=names, attrs=attributes_of(variable))
    return conventional(xr.Dataset(fields, coordinates), "Sample of a model's input")
