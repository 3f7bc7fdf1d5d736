"""Prepared data held in memory, read as those on disk are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from app.arrays import Array
from app.data.description import Variable
from app.data.shards.field_file import FIELD_TYPE
from app.data.shards.prepared import Readable, Role, Shards
from app.data.times import Stamps
from app.data.transforms import Scaling
from app.grids import Geometry, Grid


class HeldField:
    """An array (n, y, x) in memory, read as a `StoredField` is."""

    def __init__(self, values: Array) -> None:
        self._values = np.asarray(values, FIELD_TYPE)

    def read_into(self, out: Array, sample: int, window: tuple[slice, slice] | None = None) -> None:
        """One sample, or the window of its rows and columns."""
        out[...] = self._values[sample] if window is None else self._values[sample][window]

    def rows(self, rows: slice) -> Array:
        """All samples of some rows → (n, rows, x)."""
        return self._values[:, rows]


def in_memory(
    geometry: Geometry,
    variables: Mapping[str, tuple[Variable, ...]],
    fields: Mapping[str, Mapping[str, Array]],
    stamps: Mapping[str, Stamps],
    *,
    source_grid: Grid | None = None,
    scaling: Mapping[str, Scaling] | None = None,
    static: Array | None = None,
) -> Shards:
    """Shards without a folder.

    fields: by split and role, `(n, y, x, C)`; stamps: by split. Roles and shapes are those of
    `Fields`. source_grid: grid of the role "source", for explicit pairs. static: `(y, x, S)`.
    """
    held = {
        split: {
            role: [HeldField(values[..., c]) for c in range(values.shape[-1])]
            for role, values in parts.items()
        }
        for split, parts in fields.items()
    }
    shapes = {
        role: (values.shape[1], values.shape[2])
        for parts in fields.values()
        for role, values in parts.items()
    }
    return from_fields(
        geometry,
        variables,
        held,
        stamps,
        source_grid=source_grid,
        scaling=scaling,
        static=static,
        shapes=shapes,
    )


def from_fields(
    geometry: Geometry,
    variables: Mapping[str, tuple[Variable, ...]],
    fields: Mapping[str, Mapping[str, Sequence[Readable]]],
    stamps: Mapping[str, Stamps],
    *,
    source_grid: Grid | None = None,
    scaling: Mapping[str, Scaling] | None = None,
    static: Array | None = None,
    shapes: Mapping[str, tuple[int, int]] | None = None,
) -> Shards:
    """Shards without a folder, of fields `(n, y, x)` by split, role and channel; see `in_memory`.

    shapes: `(y, x)` of roles, that of the fine grid, or of the source's, where none is given.
    """
    known = {"hr": geometry.fine_shape, **(shapes or {})}
    if source_grid is not None:
        known = {"source": source_grid.shape, **known}
    return Shards(
        folder=Path(),
        fingerprint="",
        geometry=geometry,
        source_grid=source_grid,
        explicit=source_grid is not None,
        has_times=True,
        task="space",
        variables=dict(variables),
        meanings={},
        origins=(),
        scaling=dict(scaling or {}),
        static=np.zeros((*geometry.fine_shape, 0), FIELD_TYPE) if static is None else static,
        splits=tuple(fields),
        findings=(),
        _stamps=dict(stamps),
        _roles={
            (split, role): Role(np.zeros(1, int), [list(channels)], known[role])
            for split, parts in fields.items()
            for role, channels in parts.items()
        },
        _files={},
    )
