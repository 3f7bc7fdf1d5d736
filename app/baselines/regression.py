"""The best of what can be fitted in closed form: interpolation or a regression per fine cell.

A prediction is the sum of up to three parts, each linear in the encoded coarse fields around a
cell: an interpolation, a correction whose slopes all cells of the domain share, and one of each
fine cell's own, a ridge regression of what the first two leave. Few samples carry the first alone,
more the second, many the third; cross-validation within the training period decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from app.arrays import Array
from app.baselines.base import split_size
from app.baselines.features import n_features, neighbourhood
from app.baselines.normal_equations import NormalEquations
from app.baselines.ridge import RidgeFit, RidgeSums, to_offsets
from app.grids.kernels import taps

if TYPE_CHECKING:
    from app.data.contract import EncodedFields
    from app.data.description import Variable
    from app.grids import Geometry

RADIUS = 3  # coarse cells around its own that a cell sees at most
LEAST_RADIUS = 2  # what the bicubic interpolation sees
RADII = (1, 2, 3)
FOLDS = 5  # consecutive parts of the training period, each left out in turn
PENALTIES = np.logspace(-6, 4, 21)  # relative to the variance of a standardised feature
SHARED_PENALTIES = (1e-6, 1e-3, 1e-1)  # relative to the mean variance of the encoded inputs
CONSTANT_ALONE = 1e12  # the penalty beside which no slope is left
CHOICE_BYTES = 2**28  # of sums held while choosing
CHOICE_WORK = 2e8  # cells · K³ while choosing, and fine values with gaps in time · K³
LEAST_WEIGHT = 0.05  # of an interpolation, on cells that ever have values
COEFFICIENT_BYTES = 2**28
FIT_WORK = 2e11  # cells · K³ of the fit to the whole domain
FLOAT = 4  # bytes


@dataclass(frozen=True)
class Choice:
    """What a prediction is the sum of.

    method: interpolation that it starts from, "" for none. shared: penalty of the correction that
    all cells share, None without. radius: coarse cells around its own that a cell's own regression
    sees, 0 for a constant alone, None without one. timed: whether that sees the time.
    penalties: of that regression, one for each predictand.
    """

    method: str
    shared: float | None = None
    radius: int | None = None
    timed: bool = False
    penalties: tuple[float, ...] = ()

    def __str__(self) -> str:
        parts = [self.method or "mean"]
        if self.shared is not None:
            parts.append("correction shared by all cells")
        if self.radius == 0:
            parts.append("constant per fine cell")
        elif self.radius:
            timed = " and the time" if self.timed else ""
            parts.append(f"ridge per fine cell on {self.radius} coarse cells around{timed}")
        return " + ".join(parts)


def sight(
    geometry: Geometry, variables: Mapping[str, tuple[Variable, ...]], own: bool = True
) -> tuple[int, int]:
    """Coarse cells around its own that a cell sees of low-resolution fields and of predictors.

    Fewer where the fit would take too much memory or time. own: whether the low resolution has
    fields of the predictands; predictors alone are seen as predictors are.
    """
    if not own:
        radius = predictor_radius(RADIUS)
        return radius, radius
    radius = RADIUS if _affordable(RADIUS, geometry, variables) else LEAST_RADIUS
    return radius, predictor_radius(radius)


def affordable(
    geometry: Geometry,
    variables: Mapping[str, tuple[Variable, ...]],
    fits: int = 1,
    own: bool = True,
) -> bool:
    """Whether so many regressions of every fine cell fit into memory, and some minutes.

    own: as for `sight`.
    """
    radius = LEAST_RADIUS if own else predictor_radius(RADIUS)
    return _affordable(radius, geometry, variables, fits)


def _affordable(
    radius: int, geometry: Geometry, variables: Mapping[str, tuple[Variable, ...]], fits: int = 1
) -> bool:
    n_lr, n_predictors = len(variables["lr"]), len(variables.get("predictors") or ())
    cells, offsets = prod(geometry.coarse_shape), geometry.scale**2 * len(variables["hr"])
    features = n_features(n_lr, n_predictors, predictor_radius(radius), radius)
    by_memory = fits * FLOAT * cells * offsets * features <= COEFFICIENT_BYTES
    return by_memory and fits * cells * features**3 <= FIT_WORK


def predictor_radius(radius: int) -> int:
    """Coarse cells of predictors that go with so many of low-resolution fields."""
    return min(max(radius - 1, 0), 1)


def fit_regression(
    fields: EncodedFields, twins: Sequence[int | None], choice: Choice | None = None
) -> tuple[RidgeFit, Choice]:
    """Choose by cross-validation within the training period, then fit to all of it.

    twins: for each predictand the low-resolution channel that is the same variable, or None.
    choice: one that was made on other times of the same fields.

    Folds are consecutive, as neighbours in time are alike. The sums run in float64 over blocks of
    time. Shrinking a regression towards another estimate instead of zero: Swindel (1976), Good
    ridge estimators based on prior information.
    """
    fit = _Fit(fields, twins)
    choice = choice or fit.choose()
    return fit.run(choice), choice


def choose_regression(fields: EncodedFields, twins: Sequence[int | None]) -> Choice:
    """The choice of `fit_regression`."""
    return _Fit(fields, twins).choose()


class _Fit:
    """One choice among the parts, and their fit."""

    def __init__(self, fields: EncodedFields, twins: Sequence[int | None]) -> None:
        own = fields.coarse_predictand
        self.radius, self.beside = sight(fields.geometry, fields.variables, own)
        self.sums = RidgeSums(fields, self.beside, self.radius)
        self.twins, self.fields = tuple(twins), fields
        self.n_lr = len(fields.variables["lr"])
        self.n_predictors = len(fields.variables.get("predictors") or ())
        self.n_fields = len(fields.variables["hr"])
        self.scale = fields.geometry.scale

    def choose(self) -> Choice:
        """The choice with the least error on left-out folds of the training period."""
        return self._choose(self._rows_to_look_at())

    def run(self, choice: Choice) -> RidgeFit:
        """What was chosen, fitted to the training period."""
        bands = self.sums.bands()
        shared = self._shared_by_all(bands, choice)
        coefficients = [self._final(band, choice, shared) for band in bands]
        return RidgeFit(
            np.concatenate(coefficients),
            self.sums.fill,
            self.radius,
            self.beside,
            choice.penalties or (0.0,) * self.n_fields,
            self.sums.trained,
        )

    def _rows_to_look_at(self) -> Array:
        """Rows of the coarse grid, evenly spread, whose sums of all folds fit into memory."""
        sums = self.sums
        matrices = sums.matrices().mean()  # of a row
        values = matrices * sums.features**2 + sums.w * sums.features * sums.offsets
        by_memory = CHOICE_BYTES / (8 * values * FOLDS)
        by_work = CHOICE_WORK / (matrices * sums.features**3)
        count = int(np.clip(min(by_memory, by_work), 1, sums.h))
        rows: Array = np.unique(np.linspace(0, sums.h - 1, count).round().astype(int))
        return rows

    # Choosing

    def _choose(self, rows: Array) -> Choice:
        """The choice with the least error on left-out folds."""
        folds = self._folds(rows)
        found: list[tuple[float, Choice]] = []
        starts = {method: self._start(rows, method) for method in self._methods()}
        scores = {
            method: self._score([fold.minus(start) for fold in folds])
            for method, start in starts.items()
        }
        method = min(scores, key=lambda name: scores[name])
        left = [fold.minus(starts[method]) for fold in folds]
        whole = _added(left)
        found.append((scores[method], Choice(method)))
        if len(folds) < 2:
            return Choice(method)
        known: dict[float | None, list[tuple[NormalEquations, NormalEquations]]] = {
            None: [(whole.plus(fold, -1), fold) for fold in left]
        }
        for penalty in SHARED_PENALTIES:
            known[penalty] = []
            for rest, fold in known[None]:
                slopes = self._on_cells(self._shared([(rest, rows)], penalty), rows)
                known[penalty].append((rest.minus(slopes), fold.minus(slopes)))
            score = self._score([fold for _, fold in known[penalty]])
            found.append((score, Choice(method, penalty)))
        best = min(found[1:], key=lambda one: one[0])[1]
        found += self._own(best, known[best.shared])
        widest = min(found, key=lambda one: one[0])[1]
        if widest.radius is not None:
            found += self._own(replace(widest, shared=None), known[None], (widest.radius,))
        return min(found, key=lambda one: one[0])[1]

    def _methods(self) -> tuple[str, ...]:
        return ("bilinear", "bicubic") if any(t is not None for t in self.twins) else ("",)

    def _folds(self, rows: Array) -> list[NormalEquations]:
        """Sums of each fold of the training period over the cells of these rows."""
        samples = split_size(self.sums.shards, "train")
        parts = np.array_split(np.arange(samples), min(FOLDS, samples))
        return [self.sums.of_samples(part, rows) for part in parts]

    def _own(
        self,
        behind: Choice,
        pairs: list[tuple[NormalEquations, NormalEquations]],
        radii: Sequence[int] = (0, *RADII),
    ) -> list[tuple[float, Choice]]:
        """Regressions of each cell's own behind the other parts, with their scores."""
        found = [
            self._regression(replace(behind, radius=radius), pairs)
            for radius in radii
            if radius <= self.radius
        ]
        best = min(found, key=lambda one: one[0])[1]
        if best.radius and self.sums.n_harmonics:
            found.append(self._regression(replace(best, timed=True), pairs))
        return found

    def _regression(
        self, choice: Choice, pairs: list[tuple[NormalEquations, NormalEquations]]
    ) -> tuple[float, Choice]:
        columns = self._columns(choice.radius or 0, choice.timed)
        tried = tuple(PENALTIES) if choice.radius else (CONSTANT_ALONE,)
        errors: Array = np.sum([self._errors(*pair, columns, tried) for pair in pairs], axis=0)
        chosen = tuple(float(tried[best]) for best in errors.argmin(axis=0))
        return _score(errors.min(axis=0)), replace(choice, penalties=chosen)

    def _errors(
        self,
        rest: NormalEquations,
        fold: NormalEquations,
        columns: Array,
        penalties: Sequence[float],
    ) -> Array:
        """Sum of squared errors on a fold of fits to the others: (penalties, predictands)."""
        rest, fold = rest.columns(columns), fold.columns(columns)
        errors = [fold.squared_error(solution) for solution in rest.solutions(penalties)]
        return np.array([self._by_field(np.where(fold.counts > 0, e, 0.0)) for e in errors])

    def _by_field(self, error: Array) -> Array:
        result: Array = error.sum(axis=0).reshape(-1, self.n_fields).sum(axis=0)
        return result

    def _score(self, left: Sequence[NormalEquations]) -> float:
        """Of what is left of the targets, nothing further being fitted."""
        return _score(np.sum([self._by_field(one.squares) for one in left], axis=0))

    def _columns(self, radius: int, timed: bool) -> Array:
        """Features within a radius, those of the time where wanted, and the constant."""
        constant = self.sums.features - 1
        if radius == 0:
            return np.array([constant])
        near = _within(radius, self.radius, self.n_lr)
        beside = _within(predictor_radius(radius), self.beside, self.n_predictors)
        time = np.full(self.sums.n_harmonics, timed)
        return np.append(np.flatnonzero(np.concatenate([near, beside, time])), constant)

    # The parts

    def _start(self, rows: Array, method: str) -> Array:
        """Coefficients (cells, K, J) of the interpolation, for standardised features."""
        sums, side = self.sums, 2 * self.radius + 1
        shape = (len(rows), sums.w, self.scale**2, self.n_fields)
        raw = np.zeros((*shape[:2], sums.features, *shape[2:]))
        raw[:, :, -1] = sums.target_mean[rows].reshape(shape)
        known = [(field, twin) for field, twin in enumerate(self.twins) if twin is not None]
        for field, twin in known if method else ():
            weights = _weights(method, self.scale, self.radius)
            weights = weights * self._around(sums.seen[..., twin], rows)[:, :, None]
            there = weights.sum(axis=-1, keepdims=True)
            near = there > LEAST_WEIGHT
            weights = np.where(near, weights / np.where(near, there, 1.0), 0.0)
            size, offset = self._lr_scaling(twin)
            own_size, own_offset = self._hr_scaling(field)
            slopes = weights * self._around(size, rows)[:, :, None] / own_size[rows][..., None]
            level = (weights * self._around(offset, rows)[:, :, None]).sum(axis=-1)
            constant = (level - own_offset[rows]) / own_size[rows]
            features = slice(twin * side**2, (twin + 1) * side**2)
            raw[:, :, features, :, field] = np.moveaxis(slopes, -1, 2)
            mean = raw[:, :, -1, :, field]
            raw[:, :, -1, :, field] = np.where(near[..., 0], constant, mean)
        return sums.standardised(raw.reshape(*shape[:2], sums.features, sums.offsets), rows)

    def _around(self, field: Array, rows: Array) -> Array:
        """(rows, w, side²): a field (h, w) on the cells around each cell, edges repeated."""
        near = neighbourhood(field[None, ..., None], self.radius, slice(0, len(field)))
        result: Array = near[0, rows]
        return result

    def _lr_scaling(self, channel: int) -> tuple[Array, Array]:
        """Scale and offset (h, w) of a low-resolution channel."""
        scaling, shape = self.fields.scaling["lr"], (self.sums.h, self.sums.w)
        return (
            np.broadcast_to(np.nan_to_num(scaling.scale[..., channel]), shape),
            np.broadcast_to(np.nan_to_num(scaling.offset[..., channel]), shape),
        )

    def _hr_scaling(self, field: int) -> tuple[Array, Array]:
        """Scale and offset (h, w, s²) of a predictand; 1 and 0 where unknown."""
        scaling, geometry = self.fields.scaling["hr"], self.fields.geometry
        found = []
        for values, default in ((scaling.scale, 1.0), (scaling.offset, 0.0)):
            fine = np.broadcast_to(values[..., field], geometry.fine_shape)[None, ..., None]
            blocks = to_offsets(fine.astype(float), geometry)[:, :, 0]
            found.append(np.where(np.isfinite(blocks), blocks, default))
        return np.where(found[0] == 0, 1.0, found[0]), found[1]

    def _on_cells(self, raw: Array, rows: Array) -> Array:
        """The same coefficients (K, J) on each cell, (cells, K, J), for standardised features.

        They correct what another estimate leaves, so that no mean of the target is taken off.
        """
        own = raw * self.sums.std[rows][..., None]
        own[:, :, -1] += (self.sums.mean[rows][..., None] * raw).sum(axis=2)
        result: Array = own.reshape(-1, *raw.shape)
        return result

    def _shared_by_all(self, bands: Sequence[slice], choice: Choice) -> Array | None:
        """The shared correction (K, J) fitted to the whole domain; None where none was chosen."""
        if choice.shared is None:
            return None
        return self._shared(self._left(bands, choice.method), choice.shared)

    def _left(self, bands: Sequence[slice], method: str) -> Iterator[tuple[NormalEquations, Array]]:
        for band in bands:
            rows = np.arange(band.start, band.stop)
            yield self.sums.equations("train", band).minus(self._start(rows, method)), rows

    def _shared(self, parts: Iterable[tuple[NormalEquations, Array]], penalty: float) -> Array:
        """Slopes and constant (K, J) that all cells share, of features as they are.

        Slopes follow from each cell's departures from its own mean; the constant is the mean of
        what they leave. Where targets are missing, the cell's covariances count by their share.
        """
        n_inputs = self.sums.features - 1 - self.sums.n_harmonics
        inputs = slice(0, n_inputs)
        offsets = self.sums.offsets
        gram, moment = np.zeros((offsets, n_inputs, n_inputs)), np.zeros((offsets, n_inputs))
        level, total = np.zeros((offsets, n_inputs + 1)), np.zeros(offsets)
        for equations, rows in parts:
            size = self.sums.std[rows].reshape(-1, self.sums.features)[:, inputs]
            mean = self.sums.mean[rows].reshape(-1, self.sums.features)[:, inputs]
            count = np.maximum(equations.gram[:, -1, -1], 1.0)[:, None]
            means = equations.gram[:, inputs, -1] / count
            covariance = equations.gram[:, inputs, inputs] / count[..., None]
            covariance -= means[:, :, None] * means[:, None, :]
            covariance *= size[:, :, None] * size[:, None, :]
            seen = equations.counts
            target_mean = equations.moment[:, -1] / np.maximum(seen, 1.0)
            cross = equations.moment[:, inputs] - means[..., None] * equations.moment[:, -1:]
            gram += np.tensordot(seen.T, covariance, 1)
            moment += np.einsum("ckj,ck->jk", cross, size)
            centre = np.append(-(mean + means * size), np.ones((len(mean), 1)), axis=1)
            level += np.einsum("cj,ck->jk", seen, centre)
            total += (seen * target_mean).sum(axis=0)
        ridge = penalty * np.trace(gram, axis1=1, axis2=2) / n_inputs
        gram += np.maximum(ridge, np.finfo(float).tiny)[:, None, None] * np.eye(n_inputs)
        slopes = np.linalg.solve(gram, moment[..., None])[..., 0]  # (J, K')
        values = np.maximum(level[:, -1], 1.0)
        result = np.zeros((self.sums.features, len(slopes)))
        result[inputs] = slopes.T
        result[-1] = (total + (level[:, :-1] * slopes).sum(axis=1)) / values
        return result

    def _final(self, rows: slice, choice: Choice, shared: Array | None) -> Array:
        """Coefficients (rows, w, K, J) of the sum of all parts, for features as they are."""
        sums = self.sums
        which = np.arange(rows.start, rows.stop)
        solution = self._start(which, choice.method)
        if shared is not None:
            solution = solution + self._on_cells(shared, which)
        if choice.radius is not None:
            columns = self._columns(choice.radius, choice.timed)
            left = sums.equations("train", rows).minus(solution).columns(columns)
            penalties = np.tile(choice.penalties, self.scale**2)
            own = np.zeros_like(solution)
            own[:, columns] = left.solve(penalties)
            solution = solution + own
        return sums.physical(solution, rows)


def _added(parts: Sequence[NormalEquations]) -> NormalEquations:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.plus(part)
    return whole


def _score(errors: Array) -> float:
    """Of the errors of several predictands, of which each counts by its ratio alone."""
    return float(np.log(np.maximum(errors, 1e-300)).sum())


def _within(radius: int, held: int, channels: int) -> Array:
    """Which of the cells around, held up to a radius for each channel, lie within another."""
    offsets = np.abs(np.arange(-held, held + 1)) <= radius
    return np.tile(np.outer(offsets, offsets).ravel(), channels)


def _weights(method: str, scale: int, radius: int) -> Array:
    """(s², side²): how the cells around make each fine cell of a block."""
    side = 2 * radius + 1
    line = np.zeros((scale, side))
    for place in range(scale):
        first, weights = taps((place + 0.5) / scale - 0.5, method)
        line[place, radius + first : radius + first + len(weights)] = weights
    result: Array = np.einsum("ai,bj->abij", line, line).reshape(scale**2, side**2)
    return result
