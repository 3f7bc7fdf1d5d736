"""Files that are scored against others, laid beside each other and read as prepared data are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from absl import logging

from app.arrays import Array
from app.data.amounts import SUM
from app.data.description import ScoredFiles, Source, Variable
from app.data.rain import INTERVAL, as_rain, is_rain, sampled_rows
from app.data.reading.common_times import Named, common_times
from app.data.reading.layers import Layers, layers_of
from app.data.reading.sources import Opened, open_source, open_static
from app.data.shards.held import from_fields
from app.data.shards.plan import same_cells
from app.data.shards.prepared import Shards
from app.data.times import Stamps, duration, modal_step
from app.data.transforms import clip
from app.data.wet import summed_over
from app.durations import step_text
from app.errors import InputError
from app.grids import Geometry, Grid, columns_of, difference
from app.grids.identity import same_grid

KEPT_BYTES = 16 * 2**20  # of consecutive fields, read at once and kept until others are wanted


class FileField:
    """One variable of opened files (n, y, x), at some of its rows; the last block read is kept.

    cells: rows and columns of the files' grid that are wanted.
    """

    def __init__(
        self, opened: Opened, channel: int, rows: Array, cells: tuple[Array, Array]
    ) -> None:
        self._series, self._variable = opened.series[channel], opened.variables[channel]
        self._rows = opened.rows[channel][rows]
        self._cells = cells
        self._whole = opened.grid.shape == (len(cells[0]), len(cells[1])) and all(
            (np.diff(own) == 1).all() for own in cells
        )
        self._step = max(1, KEPT_BYTES // (4 * len(cells[0]) * len(cells[1])))
        self._first, self._block = 0, np.zeros((0, len(cells[0]), len(cells[1])), np.float32)

    def read(self, samples: Array) -> Array:
        """Samples (n, y, x) float32."""
        fields = clip(self._series.read(self._rows[samples]), self._variable)
        rows, columns = self._cells
        return fields if self._whole else fields[:, rows[:, None], columns]

    def read_into(self, out: Array, sample: int, window: tuple[slice, slice] | None = None) -> None:
        """One sample, or the window of its rows and columns."""
        if not self._first <= sample < self._first + len(self._block):
            self._first = sample
            self._block = self.read(np.arange(sample, min(len(self._rows), sample + self._step)))
        field = self._block[sample - self._first]
        out[...] = field if window is None else field[window]

    def rows(self, rows: slice) -> Array:
        """All samples of some rows of the grid (n, rows, x)."""
        n = len(self._rows)
        starts = range(0, n, self._step)
        blocks = [self.read(np.arange(s, min(n, s + self._step)))[:, rows] for s in starts]
        return np.concatenate(blocks)


@dataclass(frozen=True, eq=False)
class Compared:
    """The truth as prepared data, and the layers of the prediction at its times.

    data: splits "test" and, where a climatology is given, "train"; the coarse field, if any, is
    the role "source" of the first. fields: by layer and variable. quantiles: levels of the layers,
    if they are such; otherwise they are members, or one field.
    """

    data: Shards
    fields: list[list[FileField]]
    quantiles: tuple[float, ...]
    where: str


def compare(asked: ScoredFiles) -> Compared:
    """Open all files, and find the times that they share and the cells of the truth.

    Raises InputError, in one line, for what does not fit: variables, units, grids, calendars.
    """
    truth = open_source(asked.truth, asked.region)
    truth = _told(truth, asked.truth.aggregate)
    grid = truth.grid
    wanted = _in_units_of(truth, asked.prediction)
    layers = layers_of(wanted)
    opened = [_opened(one, asked, "prediction") for one in layers.sources]
    cells = [_cells(one.grid, grid, f"--prediction: {one.where}") for one in opened]
    records: list[Named] = [("--truth", truth.stamps)]
    records += [("--prediction", one.stamps) for one in opened[:1]]
    _refuse_other_times(opened, layers)
    coarse = None
    if asked.coarse is not None:
        coarse = open_source(_in_units_of(truth, asked.coarse))
        records.append(("--coarse_from", coarse.stamps))
    _compare_steps(truth, opened[0])
    _refuse_other_ends(truth, opened[0], (asked.truth.aggregate, wanted.aggregate))
    stamps, rows = common_times(records, asked.match)
    whole = np.arange(grid.shape[0]), np.arange(grid.shape[1])
    channels = range(len(truth.variables))
    fields = {"test": {"hr": [FileField(truth, c, rows[0], whole) for c in channels]}}
    times = {"test": stamps}
    found, static = _static(asked, grid)
    variables: dict[str, tuple[Variable, ...]] = {
        "hr": truth.variables,
        "lr": (),
        "static": found,
    }
    if coarse is not None:
        own = np.arange(coarse.grid.shape[0]), np.arange(coarse.grid.shape[1])
        fields["test"]["source"] = [FileField(coarse, c, rows[2], own) for c in channels]
        variables["source"] = coarse.variables
    if asked.climatology is not None:
        past = _opened(_in_units_of(truth, asked.climatology), asked, "climatology_from")
        own = _cells(past.grid, grid, f"--climatology_from: {past.where}")
        every = np.arange(len(past.stamps))
        fields["train"] = {"hr": [FileField(past, c, every, own) for c in channels]}
        times["train"] = past.stamps
        _warn_of_scored_times(past.stamps, stamps)
    data = from_fields(
        Geometry.build(grid, 1),
        variables,
        fields,
        times,
        source_grid=None if coarse is None else coarse.grid,
        static=static,
    )
    parts = [
        [FileField(one, c, rows[1], own) for c in channels]
        for one, own in zip(opened, cells, strict=True)
    ]
    return Compared(data, parts, layers.quantiles, opened[0].where)


def _told(truth: Opened, aggregate: str | None) -> Opened:
    """The truth, of which it is known what is rain, and over what time its amounts have gathered.

    As names, units and attributes say, and its time step; amounts whose mean or extreme is taken
    over longer steps are of no one time.
    """
    if not any(meaning.precipitation for meaning in truth.meanings):
        return truth
    fields = truth.read(sampled_rows(len(truth.stamps)))
    step = modal_step(truth.stamps.seconds)
    if aggregate is not None and not summed_over(aggregate):
        step = 0
    variables = list(truth.variables)
    for c, (meaning, values) in enumerate(zip(truth.meanings, fields, strict=True)):
        if variables[c].kind == INTERVAL or not is_rain(meaning, values):
            continue
        given = variables[c]
        # its values stay as they are
        variables[c] = replace(as_rain(given, meaning, step), valid_min=given.valid_min)
        gathered = variables[c].accumulation
        logging.info(
            "%s is taken as precipitation%s; --kind and --accumulation say otherwise",
            variables[c].name,
            f", amounts of {gathered}" if gathered else "",
        )
    return replace(truth, variables=tuple(variables))


def _in_units_of(truth: Opened, source: Source) -> Source:
    """A source whose variables are wanted in the truth's units, where these are known."""
    variables = tuple(
        replace(
            own,
            units=None if known.source_name in truth.unitless else known.units,
            kind=known.kind,
        )
        for own, known in zip(source.variables, truth.variables, strict=True)
    )
    return _gathered(replace(source, variables=variables))


def _gathered(source: Source) -> Source:
    """The source without an aggregation that its files have behind them already."""
    if source.aggregate is None:
        return source
    length = duration(source.aggregate.partition(":")[0], "aggregate")
    plain = layers_of(replace(source, aggregate=None)).sources[0]
    opened = open_source(plain)
    if modal_step(opened.stamps.seconds) < length:
        return source
    logging.info("%s: in steps of %s already, not gathered again", opened.where, source.aggregate)
    return replace(source, aggregate=None)


def _opened(source: Source, asked: ScoredFiles, flag: str) -> Opened:
    try:
        opened = open_source(source, asked.region)
    except InputError as error:
        if "no variable" not in str(error):
            raise
        own = source.variables[0].name
        raise InputError(f"{error}; --prediction_variables={own}:NAME says another name") from error
    if opened.unitless:
        logging.warning(
            "--%s: %s: no units of %s; those of the truth are taken",
            flag,
            opened.where,
            ", ".join(opened.unitless),
        )
    return opened


def _cells(own: Grid, grid: Grid, where: str) -> tuple[Array, Array]:
    """Rows and columns of a grid that are the truth's cells."""
    columns = columns_of(grid, own)
    if columns is not None:
        return np.arange(grid.shape[0]), columns
    rows, some = same_cells(own, grid)
    if rows is None or some is None:
        raise InputError(f"{where} lies on another grid than the truth: {difference(own, grid)}")
    logging.info("%s covers more than the truth, whose cells are taken of it", where)
    return rows, some


def _compare_steps(truth: Opened, other: Opened) -> None:
    """InputError for amounts of other lengths of time; a warning where values may be means."""
    steps = [modal_step(one.stamps.seconds) for one in (truth, other)]
    if not all(steps) or steps[0] == steps[1]:
        return
    told = f"--truth has a step of {step_text(steps[0])}, --prediction of {step_text(steps[1])}"
    way = "--aggregate=1D:mean, or 1D:sum of amounts, gathers those that are shorter"
    if any(meaning.method == SUM for meaning in (*truth.meanings, *other.meanings)):
        raise InputError(f"{told}, of which amounts do not compare; {way}")
    logging.warning("%s; if values are means over a step, %s", told, way)


def _refuse_other_ends(
    truth: Opened, other: Opened, aggregates: tuple[str | None, str | None]
) -> None:
    """InputError where one file's stamps end the times that values stand for, the other's do not.

    Values that were gathered are stamped where their time starts.
    """
    for c, meanings in enumerate(zip(truth.meanings, other.meanings, strict=True)):
        places = [
            "start" if aggregate else meaning.place
            for meaning, aggregate in zip(meanings, aggregates, strict=True)
        ]
        if None not in places and places.count("end") == 1:
            raise InputError(
                f"{truth.variables[c].name}: the truth is stamped at the {places[0]} of the time "
                f"that it stands for, the prediction at its {places[1]}: the same stamps are of "
                "other times; expected stamps of one kind"
            )


def _refuse_other_times(opened: Sequence[Opened], layers: Layers) -> None:
    first = opened[0]
    for one, source in zip(opened, layers.sources, strict=True):
        alike = np.array_equal(one.stamps.seconds, first.stamps.seconds)
        if not (alike and same_grid(one.grid, first.grid)):
            named = ", ".join(f"{dim} {label}" for dim, label in source.select.items())
            raise InputError(f"--prediction: {one.where}: other times or cells at {named}")


def _warn_of_scored_times(past: Stamps, scored: Stamps) -> None:
    shared = np.isin(scored.seconds, past.seconds) & (past.calendar == scored.calendar)
    if shared.any():
        logging.warning(
            "--climatology_from: %d of the %d times scored are in it: it knows what it is to be "
            "compared with",
            shared.sum(),
            len(scored),
        )


def _static(asked: ScoredFiles, grid: Grid) -> tuple[tuple[Variable, ...], Array]:
    """Static fields (y, x, S) on the truth's cells, and their variables."""
    variables: list[Variable] = []
    fields: list[Array] = []
    for source in asked.static:
        opened, values = open_static(source, asked.region)
        rows, columns = _cells(opened.grid, grid, f"--static: {opened.where}")
        variables += opened.variables
        fields += list(values[:, rows[:, None], columns])
    static = np.stack(fields, axis=-1) if fields else np.zeros((*grid.shape, 0), np.float32)
    return tuple(variables), static
