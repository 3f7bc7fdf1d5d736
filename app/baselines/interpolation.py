"""Interpolation from the low-resolution source's own grid to the fine grid."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from app.arrays import Array
from app.baselines.base import clip_fields
from app.data.units import same_unit
from app.grids import Geometry, Grid
from app.grids.lattice import with_axes
from app.grids.regrid import Regridder, regridder_between

if TYPE_CHECKING:
    from app.data.contract import PreparedData
    from app.data.description import Variable


def match_channels(
    wanted: tuple[Variable, ...], offered: tuple[Variable, ...], units_known: bool = True
) -> tuple[int | None, ...]:
    """For each predictand the low-resolution channel that is its twin, or None.

    A twin has the same name; failing that, the same position and (where they are known) the
    same units, unless the channel there is another predictand's twin by name.
    """
    by_name = {variable.name: channel for channel, variable in enumerate(offered)}
    taken = {by_name[variable.name] for variable in wanted if variable.name in by_name}

    def twin(position: int, variable: Variable) -> int | None:
        if variable.name in by_name:
            return by_name[variable.name]
        free = position < len(offered) and position not in taken
        alike = free and (not units_known or same_unit(offered[position].units, variable.units))
        return position if alike else None

    return tuple(twin(position, variable) for position, variable in enumerate(wanted))


def coarse_view(shards: PreparedData) -> tuple[Grid, str, int]:
    """Grid, role and halo (cells to drop on each side) of what is to be interpolated."""
    if shards.explicit and shards.source_grid is not None:
        return shards.source_grid, "source", 0
    geometry = shards.geometry
    return blocks_of(geometry).coarse, "lr", geometry.halo


def blocks_of(geometry: Geometry) -> Geometry:
    """The pair of grids without halo; 2-D coordinates without axes of their own are numbered."""
    return Geometry.build(with_axes(geometry.fine), geometry.scale)


def find_twins(shards: PreparedData) -> tuple[int | None, ...]:
    """Twin of each predictand in the fields of `read_coarse`.

    Arrays without real times come from a data module, which gives its inputs no units.
    """
    if not shards.coarse_predictand:
        return (None,) * len(shards.variables["hr"])
    offered = shards.variables[coarse_view(shards)[1]]
    return match_channels(shards.variables["hr"], offered, units_known=shards.has_times)


def read_coarse(shards: PreparedData, indices: Array, split: str) -> Array:
    """Low-resolution fields (n, ys, xs, C) on the grid of `coarse_view`."""
    _, role, halo = coarse_view(shards)
    fields = shards.read(role, split, indices)
    return fields[:, halo : fields.shape[1] - halo, halo : fields.shape[2] - halo]


def to_fine(coarse: Grid, fine: Grid, method: str) -> Regridder:
    """Interpolation from the grid of `coarse_view` to the fine grid."""
    return regridder_between(coarse, with_axes(fine), method)


class Interpolation:
    """Nearest, bilinear or bicubic (Keys, a = −0.5) interpolation; nothing is fitted.

    Predictands without a low-resolution twin are NaN throughout.
    """

    def __init__(self, name: str, shards: PreparedData) -> None:
        self.name = name
        self._shards = shards
        self._variables = shards.predictands
        self._twins = find_twins(shards)
        for variable, twin in zip(self._variables, self._twins, strict=True):
            if twin is None:
                logging.info("%s: %s has no low-resolution twin, left out", name, variable.name)
        fine = shards.geometry.fine
        self._regrid = to_fine(coarse_view(shards)[0], fine, name)

    def predict(self, indices: Array, split: str) -> Array:
        """Interpolated fields (n, y, x, C), float32, held to each predictand's valid range."""
        shape = (len(indices), *self._shards.geometry.fine_shape, len(self._twins))
        fields = np.full(shape, np.nan, dtype=np.float32)
        known = [c for c, twin in enumerate(self._twins) if twin is not None]
        if known:
            channels = [twin for twin in self._twins if twin is not None]
            coarse = read_coarse(self._shards, indices, split)[..., channels]
            fields[..., known] = np.moveaxis(self._regrid(np.moveaxis(coarse, -1, 1)), 1, -1)
        return clip_fields(fields, self._variables)


nearest = partial(Interpolation, "nearest")
bilinear = partial(Interpolation, "bilinear")
bicubic = partial(Interpolation, "bicubic")
