"""Where a cell lies, as static fields beside those of the data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.arrays import Array
from app.data.description import Variable
from app.data.shards import Shards
from app.data.transforms import Scaling, ScalingFit
from app.grids import Grid

NAMES = ("sin_latitude", "sin_longitude", "cos_longitude")


def coordinate_fields(grid: Grid) -> Array:
    """sin φ, sin λ and cos λ of every cell, (y, x, 3) float32; no jump at the date line."""
    lat, lon = (np.radians(values) for values in grid.mesh())
    result: Array = np.stack([np.sin(lat), np.sin(lon), np.cos(lon)], axis=-1).astype(np.float32)
    return result


def with_coordinates(shards: Shards) -> Shards:
    """The shards with coordinates behind their statics, standardised over the domain.

    On a region of some degrees they would hardly vary otherwise.
    """
    fields = coordinate_fields(shards.geometry.fine)
    fit = ScalingFit(NAMES)
    fit.add(fields[None])
    own, added = shards.scaling["static"].to_arrays(), fit.result().to_arrays()
    both = {name: np.concatenate([own[name], added[name]]) for name in own}
    variables = tuple(Variable(name, name, units="1") for name in NAMES)
    return replace(
        shards,
        static=np.concatenate([shards.static, fields], axis=-1),
        variables={**shards.variables, "static": (*shards.variables["static"], *variables)},
        scaling={**shards.scaling, "static": Scaling(**both)},
    )
