"""What is to be prepared: grids, variables, splits, and how to get any block of a split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from absl import logging

from app.arrays import Array
from app.data.amounts import TimeMeaning
from app.data.coverage import Covering
from app.data.description import DataDescription, Region, Source, Variable
from app.data.reading.alignment import align
from app.data.reading.sources import Opened, open_source, open_static
from app.data.shards.splits import assign
from app.data.times import Stamps
from app.errors import InputError
from app.grids import Geometry, Grid, same_grid
from app.grids.regrid import Regridder, regridder_between

Blocks = dict[str, Array]  # role → (C, n, y, x)
MARGIN = 3  # source cells kept around the target: bicubic needs two, rounding may cost one


@dataclass(frozen=True, eq=False)
class SplitPlan:
    """Times of a split, and its blocks by row number."""

    stamps: Stamps
    read: Callable[[Array], Blocks]


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that the shards are made of; the same on every rank."""

    geometry: Geometry
    variables: dict[str, tuple[Variable, ...]]
    grids: dict[str, Grid]
    splits: dict[str, SplitPlan]
    static: Array  # (S, y, x)
    explicit: bool
    has_times: bool
    row_bytes: int  # bytes in memory behind one row
    meanings: dict[str, dict[str, TimeMeaning]] = field(default_factory=dict)  # role → variable
    origins: tuple[str, ...] = ()  # calendars that times were in before they were in the common one
    sources: tuple[Opened, ...] = ()  # the files behind the splits
    coarse_predictand: bool = True  # as in the description

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles with a field for every time."""
        return tuple(role for role in self.grids if self.variables[role])


def plan_of(description: DataDescription, scale: int, halo: int) -> Plan:
    """Open all sources of a description, and lay out what becomes of them."""
    if description.predictand is None:
        raise InputError("data description: the predictand is missing")
    predictand = open_source(description.predictand, description.region)
    geometry = Geometry.build(predictand.grid, scale, halo)
    logging.info("%s", geometry.describe())
    inputs = _inputs(description, predictand, geometry)
    stamps, rows, other_rows = align(
        predictand, [(one.role, one.source, one.opened) for one in inputs]
    )
    aligned = [replace(one, rows=r) for one, r in zip(inputs, other_rows, strict=True)]
    static_variables, static, uncovered = statics_on(
        description.static, geometry.fine, description.uncovered
    )
    for one in aligned:
        uncovered = uncovered | one.uncovered
    reader = _Reader(description, geometry, predictand, rows, aligned, uncovered)
    variables = {
        "hr": predictand.variables,
        "lr": next((one.variables for one in aligned if one.low_resolution), predictand.variables),
        "predictors": tuple(v for one in aligned if not one.low_resolution for v in one.variables),
        "static": static_variables,
    }
    grids = {"hr": geometry.fine, "lr": geometry.coarse, "predictors": geometry.coarse}
    for one in aligned:
        if one.low_resolution:
            variables["source"], grids["source"] = one.opened.variables, one.opened.grid
    for role, members in variables.items():
        refuse_twins(role, members)
    return Plan(
        geometry=geometry,
        variables=variables,
        grids=grids,
        splits={
            name: SplitPlan(stamps.take(part), reader.of(part))
            for name, part in assign(stamps, description.splits).items()
        },
        static=static,
        explicit=description.low_resolution is not None,
        has_times=True,
        row_bytes=predictand.row_bytes + sum(one.row_bytes for one in aligned),
        meanings={
            "hr": meanings_of(predictand),
            "lr": meanings_of(*(one.opened for one in aligned if one.low_resolution)),
            "predictors": meanings_of(*(one.opened for one in aligned if not one.low_resolution)),
        },
        origins=origins_of(predictand, *(one.opened for one in aligned)),
        sources=(predictand, *(one.opened for one in aligned)),
        coarse_predictand=description.coarse_predictand,
    )


def origins_of(*sources: Opened) -> tuple[str, ...]:
    """Calendars of the files behind sources whose stamps are in another one."""
    return tuple(sorted({calendar for opened in sources for calendar in opened.origins}))


def meanings_of(*sources: Opened) -> dict[str, TimeMeaning]:
    """What the variables of some sources stand for in time, by their names."""
    return {
        variable.name: meaning
        for opened in sources
        for variable, meaning in zip(opened.variables, opened.meanings, strict=True)
    }


def refuse_twins(role: str, variables: tuple[Variable, ...]) -> None:
    twins = [name for name, count in Counter(v.name for v in variables).items() if count > 1]
    if twins:
        raise InputError(f"{role}: two variables are named {twins[0]!r}; give one another name")


@dataclass(frozen=True, eq=False)
class CoarseInput:
    """A source of coarse inputs: low resolution or predictors, with its lags.

    `uncovered` (y, x) are the fine cells of coarse ones that lie outside the source.
    """

    role: str
    source: Source
    opened: Opened
    to_coarse: Regridder
    low_resolution: bool
    coarse_cells: int
    uncovered: Array
    rows: Array | None = None  # (n, lags) rows of `opened` for each aligned time

    @property
    def lags(self) -> tuple[int, ...]:
        return (0,) if self.low_resolution else self.source.lags

    @property
    def variables(self) -> tuple[Variable, ...]:
        """For each lag all variables; lag 0 keeps their names."""
        return tuple(
            replace(v, name=f"{v.name}_lag{lag}") if lag else v
            for lag in self.lags
            for v in self.opened.variables
        )

    @property
    def row_bytes(self) -> int:
        return self.opened.row_bytes * len(self.lags) + 4 * self.coarse_cells * len(self.variables)

    def read(self, rows: Array) -> tuple[Array, Array]:
        """Aligned times → fields on the own grid (C, n, ys, xs) and the coarse (C, n, h, w)."""
        if self.rows is None:
            raise ValueError("not aligned yet")
        own = [self.opened.read(self.rows[rows, lag]) for lag in range(len(self.lags))]
        fields = np.concatenate(own)
        return fields, self.to_coarse(fields)


def _inputs(
    description: DataDescription, predictand: Opened, geometry: Geometry
) -> list[CoarseInput]:
    inputs, policy = [], description.uncovered
    if description.low_resolution is not None:
        low = _in_units_of(description.low_resolution, predictand)
        inputs.append(coarse_input("low_resolution", replace(low, lags=(0,)), geometry, policy))
    for number, source in enumerate(description.predictors):
        inputs.append(coarse_input(f"predictors[{number}]", source, geometry, policy))
    return inputs


def _in_units_of(source: Source, predictand: Opened) -> Source:
    """Variables that the predictand has too take its units, so that both compare."""
    fine = {variable.name: variable for variable in predictand.variables}
    return replace(
        source,
        variables=tuple(
            replace(v, units=fine[v.name].units) if v.units is None and v.name in fine else v
            for v in source.variables
        ),
    )


def coarse_input(
    role: str, source: Source, geometry: Geometry, uncovered: str = "refuse", label: str = ""
) -> CoarseInput:
    """Open a source for the coarse grid; messages name the `label`, or the role.

    InputError where it does not cover the target, unless `uncovered` is "mask".
    """
    target, label = geometry.coarse, label or role
    opened = open_source(source, cells_box(target), MARGIN)
    regrid = regridder_of(opened, target, source.regrid, label)
    covering = Covering(f"{label} {opened.where}", uncovered)
    regrid, outside = covering.coarse(regrid, opened.grid, geometry)
    low_resolution = role == "low_resolution"
    cells = target.shape[0] * target.shape[1]
    return CoarseInput(role, source, opened, regrid, low_resolution, cells, outside)


def box_of(grid: Grid) -> Region:
    """The box that holds the grid's centres."""
    return Region(
        lat=(float(grid.lat.min()), float(grid.lat.max())),
        lon=(float(grid.lon.min()), float(grid.lon.max())),
    )


def cells_box(grid: Grid) -> Region:
    """The box that holds the grid's cells."""
    if grid.rectilinear:
        lat, lon = grid.edges
        return Region((float(lat[0]), float(lat[-1])), (float(lon[0]), float(lon[-1])))
    box = box_of(grid)
    north = max(float(np.abs(np.diff(grid.lat, axis=axis)).max()) for axis in (0, 1)) / 2
    east = max(float(np.abs(np.diff(grid.lon, axis=axis)).max()) for axis in (0, 1)) / 2
    return Region((box.lat[0] - north, box.lat[1] + north), (box.lon[0] - east, box.lon[1] + east))


def regridder_of(opened: Opened, target: Grid, method: str, role: str) -> Regridder:
    try:
        made = regridder_between(opened.grid, target, method)
    except InputError as error:
        raise InputError(f"{role} {opened.where}: {error}") from error
    logging.info("%s: %s", role, made.describe())
    return made


def statics_on(
    sources: tuple[Source, ...], fine: Grid, uncovered: str = "refuse", label: str = "static"
) -> tuple[tuple[Variable, ...], Array, Array]:
    """All statics on the fine grid, (S, y, x), and which cells (y, x) lie outside any of them.

    InputError where one does not cover the grid, unless `uncovered` is "mask".
    """
    variables: list[Variable] = []
    fields = [np.zeros((0, *fine.shape), np.float32)]
    outside = np.zeros(fine.shape, bool)
    for number, source in enumerate(sources):
        opened, own = open_static(source, cells_box(fine), MARGIN)
        rows, columns = same_cells(opened.grid, fine)
        if rows is not None:
            own = own[:, rows][:, :, columns]
        else:
            role = f"{label}[{number}]"
            regrid = regridder_of(opened, fine, source.regrid, role)
            covering = Covering(f"{role} {opened.where}", uncovered)
            outside |= covering.fine(regrid, opened.grid, fine)
            own = regrid(own)
        variables += opened.variables
        fields.append(own)
    return tuple(variables), np.concatenate(fields), outside


def same_cells(grid: Grid, fine: Grid) -> tuple[Array, Array] | tuple[None, None]:
    """Rows and columns of a larger grid that are exactly the fine grid; None without."""
    if grid.rectilinear != fine.rectilinear:
        return None, None
    if same_grid(grid, fine):
        return np.arange(fine.shape[0]), np.arange(fine.shape[1])
    try:
        rows, columns = grid.window(*_around(fine))
    except InputError:
        return None, None
    return (rows, columns) if same_grid(grid.take(rows, columns), fine) else (None, None)


def _around(fine: Grid) -> tuple[tuple[float, float], tuple[float, float]]:
    """Extent of the centres with a tenth of a cell to spare for rounded coordinates."""
    north = float(np.abs(np.diff(fine.lat, axis=0)).min()) / 10
    east = float(np.abs(np.diff(fine.lon)).min()) / 10
    box = box_of(fine)
    return (box.lat[0] - north, box.lat[1] + north), (box.lon[0] - east, box.lon[1] + east)


@dataclass(frozen=True, eq=False)
class _Reader:
    """Reads blocks of aligned times from all sources; targets that these leave out are missing."""

    description: DataDescription
    geometry: Geometry
    predictand: Opened
    rows: Array
    inputs: list[CoarseInput]
    uncovered: Array

    def of(self, part: Array) -> Callable[[Array], Blocks]:
        """Reader of one split, by row number within it."""
        return lambda rows: self.read(part[rows])

    def read(self, rows: Array) -> Blocks:
        blocks = {"hr": self.predictand.read(self.rows[rows])}
        predictors = []
        for one in self.inputs:
            own, coarse = one.read(rows)
            if one.low_resolution:
                blocks |= {"source": own, "lr": coarse}
            else:
                predictors.append(coarse)
        if predictors:
            blocks["predictors"] = np.concatenate(predictors)
        if "lr" not in blocks:
            fraction = self.description.min_valid_fraction
            blocks["lr"] = self.geometry.coarsen(blocks["hr"], fraction)
        if self.uncovered.any():
            blocks["hr"][..., self.uncovered] = np.nan
        return blocks
