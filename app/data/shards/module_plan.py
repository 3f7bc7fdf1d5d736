"""What becomes of a data module's arrays: the same shards as of files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from absl import logging

from app.arrays import Array
from app.data.description import DataDescription, Variable
from app.data.module import ModuleData, ModuleSplit
from app.data.reading.parts import FileWindow
from app.data.reading.time_coordinates import time_coordinate
from app.data.shards.plan import Blocks, Plan, SplitPlan
from app.data.times import Stamps, period
from app.errors import InputError
from app.grids import Geometry, Grid, detect_grid

HOUR = 3600  # seconds
INDEX_SPACING = 1e-3  # degrees between rows without coordinates: near the equator, equal areas
SYNTHETIC_START = "2000"


def plan_of_module(data: ModuleData, description: DataDescription, scale: int, halo: int) -> Plan:
    """Plan of a module's splits. Without gt_holdout_dataset rows and columns are numbered.

    Only the truth has times. The other arrays get invented hourly ones, and `has_times` is False.
    """
    hr = next(iter(data.splits.values())).hr
    grid, columns_of = _grid(data, hr.shape[1:3])
    geometry = Geometry.build(grid, scale, halo)
    logging.info("%s", geometry.describe())
    layout = _Layout(geometry, columns_of, description.min_valid_fraction, str(data.path))
    readers = {n: _SplitReader(layout, split, data, n) for n, split in data.splits.items()}
    stamps = _stamps(data)
    some = next(iter(readers.values()))
    static = [layout.fine(field[None])[..., 0][0] for field in data.static]
    grids = {"hr": geometry.fine, "lr": geometry.coarse, "predictors": geometry.coarse}
    if data.explicit:
        grids["source"] = Geometry.build(grid, scale).coarse
    return Plan(
        geometry=geometry,
        variables=_variables(data, some),
        grids=grids,
        splits={n: SplitPlan(stamps[n], reader.read) for n, reader in readers.items()},
        static=np.stack(static) if static else np.zeros((0, *grid.shape), np.float32),
        explicit=data.explicit,
        has_times=False,
        row_bytes=2 * hr[0].nbytes + 4 * sum(p[0].size for p in some.split.predictors),
    )


def _grid(data: ModuleData, shape: tuple[int, ...]) -> tuple[Grid, FileWindow]:
    """The fine grid, and the order in which the arrays' rows and columns are to be taken."""
    if data.truth is not None:
        grid, _ = detect_grid(data.truth, f"{data.path}: gt_holdout_dataset")
        if data.truth.dims[1:] != grid.dims:
            raise InputError(
                f"{data.path}: gt_holdout_dataset has dimensions {data.truth.dims}, "
                "expected time, lat, lon"
            )
    else:
        logging.info("%s: no gt_holdout_dataset; rows and columns are numbered", data.path)
        lat, lon = (np.arange(size) * INDEX_SPACING for size in shape)
        grid = Grid(lat, lon)
    return grid, FileWindow.of(grid, np.arange(grid.shape[0]), np.arange(grid.shape[1]))


@dataclass(frozen=True, eq=False)
class _Layout:
    """Brings arrays in the module's order to canonical order, and to the coarse grid."""

    geometry: Geometry
    window: FileWindow
    min_valid_fraction: float
    where: str

    def fine(self, values: Array) -> Array:
        """(n, y, x, C), rows and columns in canonical order."""
        return values[:, self.window.rows][:, :, self.window.columns]

    def coarse(self, values: Array) -> Array:
        """(n, h, w, C) in canonical order: fine columns and rows tell how the module runs."""
        grid = self.geometry.fine
        if grid.flipped:
            values = values[:, ::-1]
        if grid.flipped_columns:
            values = values[:, :, ::-1]
        return np.roll(values, -(grid.roll // self.geometry.scale), axis=2)

    def own_shape(self) -> tuple[int, int]:
        """Coarse cells without the halo."""
        halo, (h, w) = self.geometry.halo, self.geometry.coarse_shape
        return h - 2 * halo, w - 2 * halo

    def to_coarse(self, values: Array, fine: bool) -> Array:
        """(n, ., ., C) → (C, n, h, w) with the halo, edges repeated."""
        if fine:
            fields = np.moveaxis(self.fine(values), -1, 0)
            return self.geometry.coarsen(fields, self.min_valid_fraction)
        halo = self.geometry.halo
        widths = ((0, 0), (0, 0), (halo, halo), (halo, halo))
        return np.pad(np.moveaxis(self.coarse(values), -1, 0), widths, mode="edge")

    def check_coarse(self, values: Array, name: str, hint: str = "") -> None:
        """InputError unless the array lies on the coarse grid."""
        if values.shape[1:3] != self.own_shape():
            raise InputError(
                f"{self.where}: {name} has {values.shape[1]}×{values.shape[2]} cells, expected "
                f"{self.own_shape()[0]}×{self.own_shape()[1]} (fine grid "
                f"{self.geometry.fine_shape[0]}×{self.geometry.fine_shape[1]}, "
                f"scale {self.geometry.scale}){hint}"
            )


class _SplitReader:
    """Blocks of one split."""

    def __init__(self, layout: _Layout, split: ModuleSplit, data: ModuleData, name: str) -> None:
        self.layout, self.split, self._explicit = layout, split, data.explicit
        self._mask = None
        if name == "test" and data.mask is not None:
            self._mask = layout.fine(data.mask.squeeze()[None, ..., None])[0, ..., 0] != 0
        shape = layout.geometry.fine_shape
        self._lr_fine = split.lr is None or split.inputs_fine
        if split.lr is not None and split.inputs_fine and split.lr.shape[1:3] != shape:
            raise InputError(
                f"{layout.where}: {split.names[1]} has {split.lr.shape[1]}×{split.lr.shape[2]} "
                f"cells, expected the fine grid's {shape[0]}×{shape[1]}"
            )
        if split.lr is not None and not split.inputs_fine:
            at_fine = split.lr.shape[1:3] == shape and split.names[1] == "inference_data"
            hint = "; --inference_array_in_hr if it lies on the fine grid" if at_fine else ""
            layout.check_coarse(split.lr, split.names[1], hint)
        self._predictors_fine = [p.shape[1:3] == shape for p in split.predictors]
        for i, (values, fine) in enumerate(
            zip(split.predictors, self._predictors_fine, strict=True)
        ):
            if not fine:
                layout.check_coarse(values, f"{split.names[2]}[{i}]", " or the fine grid")

    @property
    def inputs(self) -> Array:
        """Where the low resolution comes from."""
        return self.split.hr if self.split.lr is None else self.split.lr

    def read(self, rows: Array) -> Blocks:
        hr = np.moveaxis(self.layout.fine(self.split.hr[rows]), -1, 0)
        if self._mask is not None:
            hr = np.where(self._mask, hr, np.float32(np.nan))
        blocks = {"hr": hr, "lr": self.layout.to_coarse(self.inputs[rows], self._lr_fine)}
        if self._explicit:
            blocks["source"] = self._without_halo(blocks["lr"])
        if self.split.predictors:
            blocks["predictors"] = np.concatenate(
                [
                    self.layout.to_coarse(values[rows], fine)
                    for values, fine in zip(
                        self.split.predictors, self._predictors_fine, strict=True
                    )
                ]
            )
        return blocks

    def _without_halo(self, fields: Array) -> Array:
        halo, (h, w) = self.layout.geometry.halo, self.layout.geometry.coarse_shape
        return fields[..., halo : h - halo, halo : w - halo]


def _variables(data: ModuleData, some: _SplitReader) -> dict[str, tuple[Variable, ...]]:
    name = str(data.truth.name) if data.truth is not None and data.truth.name else "y"
    units = str(data.truth.attrs.get("units", "1")) if data.truth is not None else "1"
    fine, coarse = some.split.hr.shape[-1], some.inputs.shape[-1]
    variables = {
        "hr": _numbered(name, fine, units),
        "lr": _numbered(name, coarse, "1"),
        "predictors": _numbered("predictor", sum(p.shape[-1] for p in some.split.predictors), "1"),
        "static": _numbered("static", len(data.static), "1"),
    }
    if data.explicit:
        variables["source"] = variables["lr"]
    return variables


def _numbered(name: str, count: int, units: str) -> tuple[Variable, ...]:
    names = [name] if count == 1 else [f"{name}{i}" for i in range(count)]
    return tuple(Variable(one, one, units=units) for one in names)


def _stamps(data: ModuleData) -> dict[str, Stamps]:
    """The truth's times for the test period; hours one after the other elsewhere."""
    stamps: dict[str, Stamps] = {}
    calendar = "standard"
    if data.truth is not None:
        stamps["test"] = _truth_times(data, data.truth)
        calendar = stamps["test"].calendar
    start, _ = period(SYNTHETIC_START, calendar, str(data.path))
    for name, split in data.splits.items():
        if name not in stamps:
            stamps[name] = Stamps(start + HOUR * np.arange(len(split.hr)), calendar)
        start += HOUR * (len(split.hr) + 1)  # a gap, so that no window spans two splits
    return stamps


def _truth_times(data: ModuleData, truth: xr.DataArray) -> Stamps:
    time = time_coordinate(truth)
    if time is None or time[0] != truth.dims[0]:
        raise InputError(
            f"{data.path}: gt_holdout_dataset has no times along its first dimension "
            f"{truth.dims[0]}"
        )
    return Stamps.of(time[1].values)
