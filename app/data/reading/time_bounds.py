"""Where in the time that a value stands for its stamp lies, by a file's time bounds."""

from __future__ import annotations

import numpy as np
import xarray as xr

PLACES = {"start": 0.0, "middle": 0.5, "end": 1.0}
NEAR = 0.1  # of the interval
LOOKED_AT = 1000  # stamps


def stamped_at(time: xr.DataArray, dataset: xr.Dataset) -> str | None:
    """ "start", "middle" or "end" of the interval; None where bounds are absent or say neither."""
    name = str(time.attrs.get("bounds", time.encoding.get("bounds")))
    if name not in dataset.variables or time.ndim != 1:
        return None
    bounds = dataset[name]
    same_units = bounds.attrs.get("units", time.attrs.get("units")) == time.attrs.get("units")
    if bounds.dims[:1] != time.dims or bounds.shape[1:] != (2,) or not same_units:
        return None
    if time.dtype.kind not in "fiu" or bounds.dtype.kind not in "fiu":
        return None
    stamps = time.values[:LOOKED_AT].astype(np.float64)
    low, high = np.sort(bounds.values[:LOOKED_AT].astype(np.float64), axis=1).T
    known = high > low
    if not known.any():
        return None
    share = float(np.median(((stamps - low)[known]) / (high - low)[known]))
    return next((place for place, at in PLACES.items() if abs(share - at) < NEAR), None)
