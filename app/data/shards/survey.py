"""What prepared data hold: ranges, gaps, and whether inputs and predictand keep the same time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.arrays import Array
from app.data.calendars import pieces
from app.data.description import Variable
from app.data.shards import Shards
from app.data.times import DAY

BLOCK = 256  # times read at once, of small fields
BLOCK_VALUES = 2**24  # values read at once, of large ones
LAGS = (-2, -1, 0, 1, 2)  # steps by which an input is compared with the predictand
LAG_SAMPLES = 1500  # training times used for the lag correlation
ROLES = ("hr", "lr", "predictors")
FAR_LAGS = range(5, 31)  # steps, at which nothing but chance and persistence is left
FEWEST_TIMES = 3 * FAR_LAGS[-1]
LONGEST = 0.9999  # autocorrelation, at most
TINY = 1e-12  # share of the squares of a series that is rounding
YEAR = 365 * DAY  # seconds
FEW_CELLS = 64  # coarse cells that far lags are looked at in
ALIKE = 1.5  # by what factor a correlation at lag 0 must exceed those far off
WEAK = 0.3  # correlation from which on there is a correspondence, whatever is far off
CHANGES = 20  # values that must change at an hour of the day, to judge it
RISING, FALLING = 0.02, 0.5  # share of changes that go down, at most and at least
NOTABLE = 0.05  # by how much a correlation off lag 0 must exceed the one at 0 to be pointed out
CLEAR = 0.3  # smaller correlations say nothing about stamps
FALLS = 1 / 3  # share of the hours of the day at which a gathered value may fall back


@dataclass(frozen=True)
class Summary:
    """One variable of one split; `missing` is the share of its values, 0 to 1.

    `negative`: how many values are below 0. `series`: the mean over cells (n,) at each time.
    """

    role: str
    variable: Variable
    minimum: float
    mean: float
    maximum: float
    missing: float
    negative: int
    series: Array


def summaries(shards: Shards, split: str) -> list[Summary]:
    """Range and gaps of every variable in a split, read block by block."""
    found = []
    for role in ROLES:
        if shards.variables[role]:
            found += _role_summaries(shards, split, role)
    return found


def _role_summaries(shards: Shards, split: str, role: str) -> list[Summary]:
    variables = shards.variables[role]
    count, total = np.zeros(len(variables)), np.zeros(len(variables))
    negative = np.zeros(len(variables), np.int64)
    low, high = np.full(len(variables), np.inf), np.full(len(variables), -np.inf)
    series = np.full((shards.size(split), len(variables)), np.nan)
    values = 0
    for rows in _blocks(shards, role, split):
        fields = shards.read(role, split, rows)
        block = fields.reshape(len(rows), -1, len(variables))
        valid = np.isfinite(block)
        values += block.shape[0] * block.shape[1]
        sums = np.where(valid, block, 0).sum(axis=1, dtype=np.float64)
        counts = valid.sum(axis=1)
        series[rows] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
        count, total = count + counts.sum(axis=0), total + sums.sum(axis=0)
        negative += (block < 0).sum(axis=(0, 1))
        low = np.minimum(low, block.min(axis=(0, 1), where=valid, initial=np.inf))
        high = np.maximum(high, block.max(axis=(0, 1), where=valid, initial=-np.inf))
    return [
        Summary(
            role,
            variable,
            float(low[c]),
            float(total[c] / max(count[c], 1)),
            float(high[c]),
            float(1 - count[c] / values),
            int(negative[c]),
            series[:, c],
        )
        for c, variable in enumerate(variables)
    ]


def persistence(series: Array, waves: Array, piece: Array) -> float:
    """Autocorrelation r of a series (n,) from one step to the next, within gapless pieces (n,).

    Of what is left without trend and the cycles `waves` (n, k); 0 where it cannot be told, and
    nearly 1 for a series that never changes.
    """
    rest = without_cycles(series[:, None], waves)[:, 0]
    linked = np.flatnonzero(np.diff(piece) == 0)
    pairs = linked[np.isfinite(rest[linked] * rest[linked + 1])]
    if not len(pairs):
        return 0.0
    power = np.nanmean(rest**2)
    if not power > TINY * np.nanmean(series**2):
        return LONGEST
    return float(np.clip((rest[pairs] * rest[pairs + 1]).mean() / power, 0.0, LONGEST))


def independent_samples(n: int, r: float) -> float:
    """How many independent values n persistent ones are worth: n (1 - r) / (1 + r), at least 1.

    Von Storch and Zwiers (1999), Statistical Analysis in Climate Research, section 17.1.
    """
    return max(1.0, n * (1 - r) / (1 + r))


def cycles(shards: Shards, split: str) -> Array:
    """Waves (n, k) of the hour of the day and, of more than a year, of the day of the year."""
    stamps, waves = shards.stamps(split), shards.harmonics(split)
    day, year = waves[:, :2], waves[:, 2:]
    if stamps.seconds[-1] - stamps.seconds[0] < YEAR:
        return day
    twice = np.stack([2 * year[:, 0] * year[:, 1], 1 - 2 * year[:, 0] ** 2], axis=1)
    return np.column_stack([day, year, twice])


def without_cycles(values: Array, waves: Array) -> Array:
    """Values (n, m) less their mean, trend and least-squares fit to waves (n, k); NaN stays."""
    n = len(values)
    known = np.column_stack([np.ones(n), np.linspace(-1, 1, n), waves])
    valid = np.isfinite(values)
    rest = np.full(values.shape, np.nan)
    whole = valid.all(axis=0)
    groups = [(np.ones(n, bool), np.flatnonzero(whole))]
    groups += [(valid[:, c], np.array([c])) for c in np.flatnonzero(~whole)]
    for rows, columns in groups:
        given = values[rows][:, columns]
        if given.size:
            fitted = known[rows] @ np.linalg.lstsq(known[rows], given, rcond=None)[0]
            rest[np.ix_(rows, columns)] = given - fitted
    return rest


@dataclass(frozen=True, eq=False)
class Comparison:
    """Coarse fields of the first training times: inputs and coarsened predictands (n, h, w)."""

    targets: dict[str, Array]
    inputs: dict[str, dict[str, Array]]  # role → variable
    piece: Array
    waves: Array
    clock: Array  # seconds of the day

    @classmethod
    def of(cls, shards: Shards) -> Comparison:
        """Read block by block; without explicit pairs lr is the coarsened predictand itself."""
        rows = np.arange(min(shards.size("train"), LAG_SAMPLES))
        blocks = [
            shards.geometry.coarsen(np.moveaxis(shards.read("hr", "train", part), -1, 0), 0.5)
            for part in _blocks(shards, "hr", "train")
            if part[0] < len(rows)
        ]
        targets = np.concatenate(blocks, axis=1)[:, : len(rows)]
        stamps = shards.stamps("train").take(rows)
        compared = ("lr", "predictors") if shards.explicit else ("predictors",)
        return cls(
            {v.name: t for v, t in zip(shards.variables["hr"], targets, strict=True)},
            {
                role: {
                    variable.name: fields[..., c]
                    for c, variable in enumerate(shards.variables[role])
                }
                for role in compared
                if shards.variables[role]
                for fields in [shards.read(role, "train", rows)]
            },
            pieces(stamps, shards.step("train"), shards.origins),
            cycles(shards, "train")[rows],
            stamps.seconds % DAY,
        )

    def lag_correlations(self) -> dict[str, dict[str, Array]]:
        """Correlation in time of each coarse input with each coarsened predictand, by lag.

        predictand → input → (len(LAGS),), the mean over coarse cells of the correlation of
        input(t + lag) with predictand(t) in the training period; NaN where one of them never
        changes. Of inputs that keep the predictand's time the largest stands at lag 0; another
        place hints at shifted stamps.
        """
        inputs = {name: v for members in self.inputs.values() for name, v in members.items()}
        return {
            target: {
                name: np.array([_correlation(v, fields, self.piece, lag) for lag in LAGS])
                for name, v in inputs.items()
            }
            for target, fields in self.targets.items()
        }

    def shifted(self) -> set[tuple[str, str]]:
        """(predictand, input) that follow each other closer at another lag than at the same time.

        Of fields without their cycles, which correlate at all lags alike.
        """
        targets = {name: self._cells(fields) for name, fields in self.targets.items()}
        found = set()
        for members in self.inputs.values():
            for name, fields in members.items():
                values = self._cells(fields)
                for of, target in targets.items():
                    by_lag = np.abs([_correlation(values, target, self.piece, x) for x in LAGS])
                    best = by_lag.max()  # NaN, which exceeds nothing, of what never changes
                    if best > CLEAR and best - by_lag[LAGS.index(0)] > NOTABLE:
                        found.add((of, name))
        return found

    def without_correspondence(self) -> list[str]:
        """Roles whose inputs follow the predictands at no time: free-running models.

        Fields without their cycles are compared at lags up to 30 steps. Of the low resolution
        each variable is held against the predictand of its name, of predictors all against all.
        """
        if len(self.piece) < FEWEST_TIMES:
            return []
        found = []
        for role, members in self.inputs.items():
            pairs = [
                (self._cells(fields), self._cells(target))
                for name, fields in members.items()
                for of, target in self.targets.items()
                if role != "lr" or of == name
            ]
            if pairs and not any(self._corresponds(a, b) for a, b in pairs):
                found.append(role)
        return found

    def _cells(self, fields: Array) -> Array:
        """Some cells (n, 1, m), evenly chosen, less their cycles; NaN where nothing else was."""
        flat = fields.reshape(len(fields), -1)
        chosen = np.unique(np.linspace(0, flat.shape[1] - 1, FEW_CELLS).astype(np.int64))
        values = flat[:, chosen].astype(np.float64)
        rest = without_cycles(values, self.waves)
        rounding = np.nansum(rest**2, axis=0) <= TINY * np.nansum(values**2, axis=0)
        return np.where(rounding, np.nan, rest)[:, None]

    def _corresponds(self, inputs: Array, target: Array) -> bool:
        near = [abs(_correlation(inputs, target, self.piece, lag)) for lag in LAGS]
        far = [
            abs(_correlation(inputs, target, self.piece, sign * lag))
            for lag in FAR_LAGS
            for sign in (-1, 1)
        ]
        if not np.isfinite(near).any() or not np.isfinite(far).any():
            return True  # nothing to judge by
        return bool(np.nanmax(near) > min(WEAK, ALIKE * np.nanmax(far)))

    def grows_and_falls_back(self, target: str) -> bool:
        """Whether a predictand looks accumulated since a forecast began: it grows, then drops to 0.

        At most hours of the day hardly a value falls, at the few others most of those that change
        do; or values never fall at all.
        """
        fields = self.targets[target]
        change = np.diff(fields, axis=0)[np.diff(self.piece) == 0].reshape(-1, fields[0].size)
        hours = self.clock[1:][np.diff(self.piece) == 0]
        size = np.nanmax(np.abs(fields)) if np.isfinite(fields).any() else 0.0
        moved = np.abs(change) > 1e-6 * size
        shares = [
            float((change[hours == hour] < 0)[moved[hours == hour]].mean())
            for hour in np.unique(hours)
            if moved[hours == hour].sum() >= CHANGES
        ]
        rising = sum(share <= RISING for share in shares)
        falling = sum(share >= FALLING for share in shares)
        return bool(rising) and rising + falling == len(shares) and falling <= FALLS * len(shares)


def _correlation(inputs: Array, target: Array, piece: Array, lag: int) -> float:
    """Mean over cells of the correlation of inputs (n, h, w) at t + lag with target at t."""
    at = np.arange(max(0, -lag), len(target) - max(0, lag))
    at = at[piece[at] == piece[at + lag]]
    x, y = inputs[at + lag].astype(np.float64), target[at].astype(np.float64)
    both = np.isfinite(x) & np.isfinite(y)
    count = np.maximum(both.sum(axis=0), 1)
    x, y = np.where(both, x, 0), np.where(both, y, 0)
    x = np.where(both, x - x.sum(axis=0) / count, 0)
    y = np.where(both, y - y.sum(axis=0) / count, 0)
    spread = np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0))
    known = spread > 0
    if not known.any():
        return float("nan")
    return float(((x * y).sum(axis=0)[known] / spread[known]).mean())


def _blocks(shards: Shards, role: str, split: str) -> Iterator[Array]:
    """Rows of a split in blocks that fit into memory."""
    n, size = shards.size(split), int(np.prod(shards.shape(role, split)))
    length = max(1, min(BLOCK, BLOCK_VALUES // max(1, size)))
    for start in range(0, n, length):
        yield np.arange(start, min(n, start + length))
