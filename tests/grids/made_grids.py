"""Fields and grids that the tests of grids are made of."""

import numpy as np
import xarray as xr


def field(lat, lon, dims=("lat", "lon"), attrs=True):
    """A variable whose value at every cell is 1000 lat + (lon modulo 360)."""
    values = 1000 * np.asarray(lat)[:, None] + np.asarray(lon)[None, :] % 360
    units = ({"units": "degrees_north"}, {"units": "degrees_east"}) if attrs else ({}, {})
    coords = {d: (d, c, u) for d, c, u in zip(dims, (lat, lon), units, strict=True)}
    return xr.DataArray(values, coords, dims, name="v")


def expected(grid):
    lat, lon = grid.mesh()
    return 1000 * lat + lon % 360


def rotated(n_rows=12, n_columns=15, spacing=0.5, pole=(39.25, -162.0)):
    """Latitude and longitude of a rotated-pole grid, by two rotations of the sphere."""
    rlat = np.radians((np.arange(n_rows) - n_rows / 2) * spacing)[:, None]
    rlon = np.radians((np.arange(n_columns) - n_columns / 2) * spacing)[None, :]
    x, y, z = np.cos(rlat) * np.cos(rlon), np.cos(rlat) * np.sin(rlon), np.sin(rlat) + 0 * rlon
    tilt, turn = np.radians(90 - pole[0]), np.radians(pole[1] + 180)
    x, z = x * np.cos(tilt) - z * np.sin(tilt), x * np.sin(tilt) + z * np.cos(tilt)
    lat = np.degrees(np.arcsin(z))
    lon = np.degrees(np.arctan2(y, x) + turn)
    return lat, lon, np.degrees(rlat[:, 0]), np.degrees(rlon[0])
