"""Which cells of a target grid a source covers, and how to say where it ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from app.arrays import Array
from app.grids.grid import Grid
from app.grids.regrid import Regridder
from app.grids.sphere import CIRCLE

Mask = NDArray[np.bool_]


def filled_by_the_edge(regrid: Regridder, cells: Mask) -> Regridder:
    """The regridder with those of the `cells` (h, w) that lie outside fed as the nearest inside."""
    covered = regrid.covered
    wanted = cells & ~covered
    if not wanted.any() or not covered.any():
        return regrid
    rows, columns = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    own = np.arange(covered.size).reshape(covered.shape)
    source = np.where(wanted, own[rows, columns], own).ravel()
    fallback = regrid.fallback
    return replace(
        regrid,
        weights=regrid.weights[source],
        fallback=None if fallback is None else fallback[source],
    )


def shortfall(source: Grid, cells: Grid, uncovered: Mask, needed: Grid) -> str:
    """Where a source ends short, such as "it ends at 42 N, 47.5 N is needed".

    `uncovered` (h, w) are the `cells` outside, of which the `needed` grid is made. Coordinates
    in the sentence are those of the outermost centres.
    """
    lat, lon = (values[uncovered] for values in cells.mesh())
    lon, far = _beside(lon, source.lon), _beside(needed.lon, source.lon)
    south, north, west, east = _ends(source)
    sides = (
        ("NS", lat.max() > north, source.lat.max(), needed.lat.max()),
        ("NS", lat.min() < south, source.lat.min(), needed.lat.min()),
        ("EW", lon.max() > east, source.lon.max(), far.max()),
        ("EW", lon.min() < west, source.lon.min(), far.min()),
    )
    found = [
        f"it ends at {_degrees(end, axis)}, {_degrees(wanted, axis)} is needed"
        for axis, short, end, wanted in sides
        if short and not (axis == "EW" and source.periodic)
    ]
    if found:
        return "; ".join(found)
    return f"its edge leaves out lat {lat[0]:.6g}, lon {lon[0]:.6g} and others"


def _ends(source: Grid) -> tuple[float, float, float, float]:
    """South, north, west and east of the outer cells' edges; of their centres on curved grids."""
    lat, lon = source.edges if source.rectilinear else (source.lat, source.lon)
    return lat.min(), lat.max(), lon.min(), lon.max()


def _beside(lon: Array, own: Array) -> Array:
    """Longitudes shifted by whole circles to lie around the middle of others."""
    middle = (own.min() + own.max()) / 2
    result: Array = middle + (lon - middle + CIRCLE / 2) % CIRCLE - CIRCLE / 2
    return result


def _degrees(value: float, axis: str) -> str:
    if axis == "EW":
        value = (value + CIRCLE / 2) % CIRCLE - CIRCLE / 2
    return f"{abs(value):.6g} {axis[0] if value >= 0 else axis[1]}"
