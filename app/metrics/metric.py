"""What a metric is: it takes in fields block by block and gives rows, maps, series and figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self, TypeVar

import numpy as np

from app.arrays import Array
from app.metrics.arithmetic import divide, spread
from app.metrics.ground import NO_GROUND, Ground
from app.metrics.names import called, title
from app.metrics.ordered import Ordered
from app.metrics.regions import NO_REGIONS, Regions
from app.metrics.remedies import IN_SPACE, IN_TIME
from app.metrics.sampled import HIGHEST, LOWEST, Best, Sampled, mean_of, mean_score
from app.metrics.table import MODEL, About, Row, Table
from app.options.scoring import DEFAULT, ScoringConfig

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from app.data.description import TimeSteps, Variable
    from app.data.time_axis import TimeAxis
    from app.data.wet import WetLimit
    from app.grids import Grid
    from app.metrics.climate import Climate

CONSTANT = "the truth is the same everywhere and always"


@dataclass(frozen=True)
class TruthRange:
    """Mean, lowest and highest value of the truth in the period that is scored."""

    mean: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """Data range of PSNR and SSIM."""
        return self.high - self.low


@dataclass(frozen=True, eq=False)
class Subject:
    """One predictand that is scored, and what is known before the first field is read.

    `candidates`: the model's name, then those of the baselines. `area`: of the cells (y, x), mean
    1. `members`: of the model's
    ensemble, 0 without one. `quantiles`: levels that the model predicts, rising. `wet`: what
    counts as wet, None where the variable is no precipitation. `climate`: of the training values.
    `consecutive`: (n - 1,) True where a sample follows the one before by one time step, None
    where samples have no times. `ground`: what maps show below the fields. `scoring`: what is
    wanted of the scores. `regions`: of the user's, to be scored one by one. `scale`: fine cells on
    a side of a coarse one, 0 where not known. `companions`: names of the predictands after it.
    """

    # Baselines that need no training; the error that a verdict begins with: its name in sentences
    # and in tables, which sums of samples it is made of, and whether it is the root of their mean.
    interpolations: ClassVar[tuple[str, ...]] = ("nearest", "bilinear", "bicubic")
    judged_by: ClassVar[tuple[tuple[str, str], str, bool]] = (("RMSE", "RMSE"), "squares", True)
    remedies: ClassVar[Mapping[str, str]] = IN_SPACE

    variable: Variable
    candidates: tuple[str, ...]
    times: Array
    grid: Grid
    area: Array
    truth: TruthRange
    members: int = 0
    quantiles: tuple[float, ...] = ()
    wet: WetLimit | None = None
    climate: Climate | None = None
    consecutive: Array | None = None
    ground: Ground = NO_GROUND
    scoring: ScoringConfig = DEFAULT
    regions: Regions = NO_REGIONS
    scale: int = 0
    companions: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        return self.variable.units or "1"

    @property
    def samples(self) -> int:
        return len(self.times)

    @property
    def judged(self) -> Array:
        """Which samples are scored (n,)."""
        return np.ones(self.samples, dtype=bool)

    def called(self, name: str) -> str:
        """A candidate's name for readers."""
        return title(name)

    def per_sample(self, *leading: int) -> Array:
        """Zeros (…, n), a place for each sample."""
        return np.zeros((*leading, self.samples))

    def row(self, name: str, unit: str, values: Array, spreads: Array | None = None) -> Row:
        """A row of a value and, where there is one, a spread of every candidate (k,)."""
        spreads = np.full(len(values), np.nan) if spreads is None else spreads
        pairs = zip(self.candidates, values, spreads, strict=True)
        return Row(name, unit, {c: (float(v), float(s)) for c, v, s in pairs})

    def sampled_row(self, name: str, unit: str, made: Sampled, spreads: Array | None = None) -> Row:
        """A row of what sums over samples make, and spreads (k,) over samples, if any."""
        spreads = np.full(len(made.names), np.nan) if spreads is None else spreads
        pairs = zip(made.names, made.values, spreads, strict=True)
        return Row(name, unit, {c: (float(v), float(s)) for c, v, s in pairs}, sampled=made)

    def mean_row(
        self, name: str, unit: str, sums: Array, weight: Array, best: Best = LOWEST
    ) -> Row:
        """Means of per-sample sums (k, n), and their spread over samples."""
        spreads = np.array([spread(own) for own in divide(sums, weight)])
        return self.sampled_row(
            name, unit, mean_of(self.candidates, sums, weight, best=best), spreads
        )

    def score_row(self, name: str, unit: str, scores: Array, best: Best = HIGHEST) -> Row:
        """Means over samples of their own scores (k, n), and their spread over samples."""
        spreads = np.array([spread(own) for own in scores])
        return self.sampled_row(name, unit, mean_score(self.candidates, scores, best), spreads)

    def model_row(self, name: str, unit: str, value: float, deviation: float = np.nan) -> Row:
        """A row that only the model has a value in."""
        return Row(name, unit, {self.candidates[0]: (value, deviation)})


@dataclass(frozen=True, eq=False, kw_only=True)
class TimeSubject(Subject):
    """A predictand whose frames between known ones are scored.

    axis: of known and new times, one a sample; scored: (n,) which are new, and known to the record.
    """

    interpolations: ClassVar[tuple[str, ...]] = ("nearest", "linear", "cubic")
    judged_by: ClassVar[tuple[tuple[str, str], str, bool]] = (
        ("Mean absolute error", "MAE"),
        "absolute",
        False,
    )
    remedies: ClassVar[Mapping[str, str]] = IN_TIME

    axis: TimeAxis
    steps: TimeSteps
    scored: Array

    def called(self, name: str) -> str:
        return called(name, in_time=True)

    @property
    def judged(self) -> Array:
        return self.scored


@dataclass(frozen=True, eq=False)
class Block:
    """Some samples: truth (n, y, x), NaN where masked, and fields (k, n, y, x) of candidates.

    `layers`: members or quantiles (L, n, y, x) of the first candidate, None where there are none.
    """

    subject: Subject
    indices: Array
    truth: Array
    fields: Array
    layers: Array | None = None

    @cached_property
    def given(self) -> Array:
        """Where each candidate has a value (k, n, y, x)."""
        return np.isfinite(self.fields)

    @cached_property
    def valid(self) -> Array:
        """Where the truth and all candidates have a value (n, y, x): what is scored."""
        known = np.isfinite(self.truth) & self.given.all(axis=0)
        result: Array = known & self._judged[:, None, None]
        return result

    @property
    def _judged(self) -> Array:
        return self.subject.judged[self.indices]

    @cached_property
    def complete(self) -> bool:
        """Whether every value is scored."""
        return bool(self.valid.all())

    @property
    def area(self) -> Array:
        """Cell areas (y, x)."""
        return self.subject.area

    @cached_property
    def weights(self) -> Array:
        """Cell areas (n, y, x), 0 where nothing is scored; not to be written to."""
        return (
            np.broadcast_to(self.area, self.valid.shape)
            if self.complete
            else (self.area * self.valid)
        )

    @cached_property
    def total_weight(self) -> Array:
        """Area of what is scored of each sample (n,)."""
        return self.over_cells(self.valid)

    def over_cells(self, values: Array) -> Array:
        """Area-weighted sums (…, n) over the cells of values (…, n, y, x).

        The values are 0 where nothing is scored.
        """
        area = self.area.ravel()
        result: Array = values.reshape(*values.shape[:-2], area.size) @ area
        return result

    @cached_property
    def truth_anomaly(self) -> Array:
        """Truth less its mean over the period (n, y, x) float64, 0 where nothing is scored."""
        return self._anomaly(self.truth)

    def anomaly(self, k: int) -> Array:
        """A candidate less the truth's mean (n, y, x) float64, 0 where nothing is scored."""
        if k not in self._anomalies:
            self._anomalies[k] = self._anomaly(self.fields[k])
        return self._anomalies[k]

    @cached_property
    def _anomalies(self) -> dict[int, Array]:
        return {}

    def _anomaly(self, fields: Array) -> Array:
        anomaly = fields - np.float64(self.subject.truth.mean)
        return anomaly if self.complete else np.where(self.valid, anomaly, 0.0)

    def error(self, k: int) -> Array:
        """A candidate less the truth (n, y, x) float64, 0 where nothing is scored."""
        if k not in self._errors:
            self._errors[k] = self.anomaly(k) - self.truth_anomaly
        return self._errors[k]

    @cached_property
    def _errors(self) -> dict[int, Array]:
        return {}

    def version_anomalies(self) -> Iterator[Iterator[Array]]:
        """Anomalies of the stacks: of the truth, then of the versions of each candidate."""
        yield iter((self.truth_anomaly,))
        for k, stack in enumerate(self.versions):
            if k == 0 and self.members is not None:
                yield map(self._anomaly, stack)
            else:
                yield iter((self.anomaly(k),))

    @cached_property
    def truth_moments(self) -> tuple[Array, Array, Array]:
        """Number of values, sums of truth anomalies and of their squares in every cell (y, x)."""
        anomaly = self.truth_anomaly
        return self.valid.sum(axis=0), anomaly.sum(axis=0), np.square(anomaly).sum(axis=0)

    @cached_property
    def ordered_truth(self) -> Ordered:
        """The truth in order: the cells of each sample (n, y·x), in a band the times of each cell.

        The latter (y, x, n).
        """
        return self._ordered(self.truth)

    def ordered(self, k: int) -> Ordered:
        """A candidate likewise."""
        if k not in self._orders:
            self._orders[k] = self._ordered(self.fields[k])
        return self._orders[k]

    @cached_property
    def _orders(self) -> dict[int, Ordered]:
        return {}

    def _ordered(self, fields: Array) -> Ordered:
        flat = len(fields), -1
        return Ordered.of(fields.reshape(flat), self.valid.reshape(flat))

    def ordered_versions(self) -> Iterator[Iterator[Ordered]]:
        """Each candidate's versions likewise, one after the other."""
        for k, stack in enumerate(self.versions):
            if k == 0 and self.members is not None:
                yield map(self._ordered, stack)
            else:
                yield iter((self.ordered(k),))

    @property
    def members(self) -> Array | None:
        """Members (M, n, y, x); None without an ensemble."""
        return self.layers if self.subject.members else None

    @cached_property
    def versions(self) -> list[Array]:
        """Each candidate's equally likely fields (m, n, y, x): the members of the first, if any."""
        first = self.fields[:1] if self.members is None else self.members
        return [first, *(field[None] for field in self.fields[1:])]

    @property
    def stacks(self) -> list[Array]:
        """The truth as a stack of one (1, n, y, x), then the versions of each candidate."""
        return [self.truth[None], *self.versions]

    def masked(self, field: Array) -> Array:
        """A field (n, y, x) as float64, NaN where nothing is scored."""
        if self.complete:
            return field.astype(np.float64)
        return np.where(self.valid, field, np.float64(np.nan))


@dataclass(frozen=True, eq=False)
class Band(Block):
    """Whole series of some rows of the grid: `indices` are rows, and y counts these alone."""

    @property
    def area(self) -> Array:
        """Cell areas (y, x)."""
        rows: Array = self.subject.area[self.indices]
        return rows

    def _ordered(self, fields: Array) -> Ordered:
        return Ordered.of(np.moveaxis(fields, 0, -1), np.moveaxis(self.valid, 0, -1))

    @property
    def _judged(self) -> Array:
        return self.subject.judged


class Sums:
    """Running sums, of which another rank's can be added; `summed` names them.

    Each is an array or a number, something that has `merge` itself, or a dict or list of these. A
    score of every sample has places for all samples, 0 until they are filled in, so that adding
    puts those of several ranks together. A subclass whose parts are not added overrides `merge`.
    Pickled, an object is its sums alone: it can be merged into another one, and no more.
    """

    summed: ClassVar[tuple[str, ...]] = ()

    def __getstate__(self) -> dict[str, Any]:
        if type(self).merge is not Sums.merge:
            return {name: value for name, value in vars(self).items() if name != "subject"}
        return {name: getattr(self, name) for name in self.summed}

    def merge(self, other: Self) -> None:
        """Add the sums of other blocks."""
        for name in self.summed:
            setattr(self, name, _added(getattr(self, name), getattr(other, name)))


def _added(own: Any, more: Any) -> Any:
    """The sum of two things; what can be changed is changed in place."""
    if isinstance(own, dict):
        return {key: _added(value, more[key]) for key, value in own.items()}
    if isinstance(own, list):
        return [_added(*pair) for pair in zip(own, more, strict=True)]
    if hasattr(own, "merge"):
        own.merge(more)
        return own
    return None if own is None else own + more


@dataclass(frozen=True)
class Map:
    """Scores of every grid point: values (k, y, x), for gridpoint.nc."""

    name: str
    values: Array
    unit: str
    long_name: str
    estimator: str


@dataclass(frozen=True, eq=False)
class Example:
    """The sample whose model error is the median one: what the maps show.

    fields: truth and candidates by name, (y, x); coarse: its low-resolution field on its own
    grid, None where the predictand has none; members (M, y, x), None where there are none.
    """

    time: str
    fields: dict[str, Array]
    coarse: Array | None
    coarse_grid: Grid
    members: Array | None = None


class Totals(Protocol):
    """What other metrics take from the first one of an evaluation: see `SampleErrors`."""

    weight: Array
    sample: dict[str, Array]
    count: int

    @property
    def rmse(self) -> Array: ...
    @property
    def sample_rmse(self) -> Array: ...


class Sheet(NamedTuple):
    """A further table, of columns and rows."""

    columns: tuple[str, ...]
    rows: list[list[object]]
    line_end: str = "\n"


class Metric(Sums):
    """A score, or some that are made of the same sums, of one predictand.

    A subclass stands in one file and is registered as a metric (`app.registry`). It overrides what
    it has: most have sums over samples (`add`) and rows; some need whole series in time
    (`add_series`).
    """

    core: ClassVar[bool] = True  # whether it is scored where no scores are named
    protocol: ClassVar[str] = ""  # the published protocol whose definitions it has
    about: ClassVar[Mapping[str, About]] = {}  # by row, or by how the names of some rows begin
    definitions: ClassVar[tuple[str, ...]] = ()  # sentences below the table
    undefined: ClassVar[dict[str, str]] = {}  # name of a row → why it may have no value

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        """Whether a predictand has this metric at all."""
        return True

    @classmethod
    def check_times(cls, scoring: ScoringConfig, times: Array) -> None:
        """Refuse, in one line, times (n,) of a period that it cannot be worked out for."""

    def add(self, block: Block) -> None:
        """Take in some samples; each sample comes once, on one of the ranks, in any order."""

    def add_series(self, band: Band) -> None:
        """Take in all samples of some rows of the grid; each row comes once, on one of the ranks.

        No sums over samples are there yet: other ranks have parts of them.
        """

    def add_together(self, band: Band, others: Sequence[Band]) -> None:
        """Take in a predictand's rows of the grid beside those of the predictands after it."""

    def rows(self, errors: Totals) -> list[Row]:
        """Rows of the table; `errors`: the sums that every evaluation has."""
        return []

    def remarks(self) -> list[str]:
        """What a reader should know of these data, a sentence each."""
        return []

    def series(self, errors: Totals) -> dict[str, Array]:
        """Sums or scores (k, n), or weights (n,), of every sample, for samples.nc."""
        return {}

    def maps(self, errors: Totals) -> list[Map]:
        """Scores over time of every grid point."""
        return []

    def why_undefined(self, row: str) -> str | None:
        """Why a row has no value; None where the row is another metric's."""
        return self.undefined.get(row)

    def figures(self, result: Result) -> dict[str, Figure]:
        """Figures by file name; none where there is nothing to show."""
        return {}

    def tables(self) -> dict[str, Sheet]:
        """Further tables, by file name; those of all predictands are joined."""
        return {}

    def datasets(self) -> dict[str, xr.Dataset]:
        """Further NetCDF files, by name; those of all predictands are merged."""
        return {}


class SampleErrors(Metric):
    """Sums of |e| and e², e = prediction - truth, over the cells of samples.

    Comes first in every evaluation; subclasses fill in the sums. weight (n,); sample (k, n);
    count: values scored.
    """

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.weight = subject.per_sample()
        self.count = 0
        names = ("absolute", "squares")
        self.sample = {name: subject.per_sample(len(subject.candidates)) for name in names}

    @property
    def sample_rmse(self) -> Array:
        """RMSE of every sample over space (k, n)."""
        return np.sqrt(divide(self.sample["squares"], self.weight))

    @property
    def rmse(self) -> Array:
        """Root of the area-weighted mean over time and space (k,)."""
        result: Array = np.sqrt(self.sample["squares"].sum(axis=1) / self.weight.sum())
        return result


M = TypeVar("M", bound=Metric)


@dataclass(frozen=True, eq=False)
class Result:
    """One predictand's scores.

    `label`: what its rows carry in the table, "" or "[name]".
    """

    subject: Subject
    errors: Totals
    metrics: tuple[Metric, ...]
    label: str
    table: Table

    @property
    def suffix(self) -> str:
        """What its files carry behind their names, where there are several predictands."""
        return f"_{self.subject.variable.name}" if self.label else ""

    @property
    def count(self) -> int:
        """How many values are scored."""
        return self.errors.count

    @property
    def samples(self) -> int:
        """How many samples have any value that is scored."""
        return int((self.errors.weight > 0).sum())

    @property
    def own_rows(self) -> tuple[Row, ...]:
        """Rows of the table that are this predictand's."""
        return tuple(row for row in self.table.rows if row.metric.endswith(self.label))

    def metric(self, kind: type[M]) -> M | None:
        """The metric of a kind; None where it does not suit the predictand."""
        return next((m for m in self.metrics if isinstance(m, kind)), None)

    def value(self, row: str, candidate: str = MODEL) -> float:
        """A score of the table; NaN where the candidate has none."""
        return self.table.value(row + self.label, candidate)

    def score(self, row: str, candidate: str = MODEL) -> float:
        """A score of the table; NaN where there is no such row either."""
        held = any(one.metric == row + self.label for one in self.table.rows)
        return self.value(row, candidate) if held else np.nan


@dataclass(frozen=True, eq=False)
class FieldResult(Result):
    """One predictand's scores, with a sample to be shown on maps."""

    example: Example
