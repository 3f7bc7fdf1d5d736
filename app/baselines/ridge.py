"""Ridge regression per fine cell: the linear method every network is measured against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from app.arrays import Array
from app.baselines.base import clip_fields, coarse_inputs, split_size, time_blocks
from app.baselines.features import LR_RADIUS, design, n_features
from app.baselines.normal_equations import NormalEquations
from app.data.contract import ALL
from app.data.moments import RunningMoments
from app.data.transforms import forward_all

if TYPE_CHECKING:
    from app.data.contract import Fields, PreparedData, Rows
    from app.grids import Geometry

PENALTIES = np.logspace(-6, 2, 17)  # relative to the variance of a standardised feature
DEFAULT_PENALTY = 1e-2  # where the validation period cannot choose
BAND_BYTES = 512 * 2**20  # of Gram matrices held at a time
CONSTANT_SPREAD = 1e-7  # standard deviation relative to the mean below which a feature is constant
CYCLE_SPREAD = np.sqrt(0.5)  # standard deviation of a sine over its whole cycle


@dataclass(frozen=True, eq=False)
class RidgeFit:
    """A fitted regression, laid out for evaluation on the coarse grid and depth-to-space.

    coefficients: (h, w, K, s·s·C) float32 in the features' physical units, offset index
    sy·s·C + sx·C + c; features as in `features.design`. fill: (h, w, Cin) float32, the training
    mean that stands in for a missing input. penalty: one per predictand. trained:
    (h, w, s·s·C), False where no training value was ever valid and all coefficients are 0.
    """

    coefficients: Array
    fill: Array
    lr_radius: int
    predictor_radius: int
    penalty: tuple[float, ...]
    trained: Array


class Encoded:
    """Prepared data as a network sees them: transformed and scaled, with some features of time."""

    def __init__(self, shards: PreparedData, time_channels: tuple[int, ...]) -> None:
        self._shards, self._time_channels = shards, list(time_channels)
        self.geometry, self.variables = shards.geometry, shards.variables
        self.scaling = shards.scaling
        self.coarse_predictand = shards.coarse_predictand
        self.splits, self.size = shards.splits, shards.size

    def harmonics(self, split: str, indices: slice | Array = ALL) -> Array:
        """(n, T) of the chosen features of the time."""
        return self._shards.time_features(split, indices)[:, self._time_channels]

    def read(self, role: str, split: str, indices: Rows) -> Array:
        """Encoded samples (n, y, x, C)."""
        physical = self._shards.read(role, split, indices)
        return self._shards.scaling[role].encode(forward_all(physical, self.variables[role]))


def to_offsets(fields: Array, geometry: Geometry) -> Array:
    """Fine fields (n, y, x, C) → (h, w, n, s·s·C), NaN in the padding."""
    s = geometry.scale
    h, w = geometry.coarse_shape
    padded = geometry.pad_field(fields, axes=(1, 2))
    n, _, _, c = padded.shape
    blocks = padded.reshape(n, h, s, w, s, c).transpose(1, 3, 0, 2, 4, 5)
    return blocks.reshape(h, w, n, s * s * c)


def from_offsets(blocks: Array, geometry: Geometry) -> Array:
    """The way back: (h, w, n, s·s·C) → (n, y, x, C), padding cropped."""
    s = geometry.scale
    h, w, n, offsets = blocks.shape
    c = offsets // s**2
    fine = blocks.reshape(h, w, n, s, s, c).transpose(2, 0, 3, 1, 4, 5)
    return geometry.crop(fine.reshape(n, h * s, w * s, c), axes=(1, 2))


class RidgeSums:
    """The sums of a regression per fine cell: statistics first, then normal equations.

    mean, std: (h, w, K) of the features. target_mean: (h, w, s·s·C). trained, seen: which targets
    (h, w, s·s·C) and inputs (h, w, Cin) ever have values in training. fill: as in `RidgeFit`.
    """

    def __init__(self, shards: Fields, predictor_radius: int, lr_radius: int) -> None:
        self.shards = shards
        self.radius, self.lr_radius = predictor_radius, lr_radius
        self.h, self.w = shards.geometry.coarse_shape
        self.channels = len(shards.variables["lr"])
        predictors = len(shards.variables.get("predictors") or ())
        self.n_inputs = self.channels + predictors
        self.n_harmonics = shards.harmonics("train", slice(0, 1)).shape[-1]
        self.features = n_features(
            self.channels, predictors, predictor_radius, lr_radius, self.n_harmonics
        )
        self.offsets = shards.geometry.scale**2 * len(shards.variables["hr"])
        self._measure()

    def _blocks(self, split: str) -> Iterator[Array]:
        return self._blocks_of(split_size(self.shards, split))

    def _blocks_of(self, samples: int) -> Iterator[Array]:
        return time_blocks(samples, self.h * self.w * (self.features + self.offsets))

    def _targets(self, split: str, indices: Array) -> Array:
        return to_offsets(self.shards.read("hr", split, indices), self.shards.geometry)

    def _measure(self) -> None:
        """Mean and spread of every input, mean and number of targets, on the training period."""
        inputs = RunningMoments()
        targets = RunningMoments()
        for indices in self._blocks("train"):
            inputs.add(coarse_inputs(self.shards, indices, "train"))
            targets.add(self._targets("train", indices).transpose(2, 0, 1, 3))
        self.counts = {"train": targets.count, "validation": np.zeros_like(targets.count)}
        for indices in self._blocks("validation"):
            self.counts["validation"] += np.isfinite(self._targets("validation", indices)).sum(2)
        self.trained = targets.count > 0
        self.target_mean = np.where(self.trained, targets.mean, 0.0)
        self.seen = inputs.count > 0
        self.fill = _fill_unseen(inputs.mean).astype(np.float32)
        time = self.shards.harmonics("train").astype(np.float64)
        everything = slice(0, self.h)
        self.mean = self._design(self.fill[None], time.mean(axis=0)[None], everything, 0.0)[0]
        spread = np.nan_to_num(inputs.std)
        cycle = np.full((1, time.shape[-1]), CYCLE_SPREAD)
        std = self._design(spread[None], cycle, everything, 1.0)[0]
        self.std = np.where(std > CONSTANT_SPREAD * np.abs(self.mean), std, 1.0)

    def _design(self, inputs: Array, time: Array, rows: slice, constant: float = 1.0) -> Array:
        return design(inputs, time, self.channels, self.radius, rows, constant, self.lr_radius)

    def bands(self) -> list[slice]:
        """Row bands whose Gram matrices fit the memory allowance."""
        matrices = self.matrices("train") + self.matrices("validation")
        cost = 8 * self.features * (self.features * matrices + 2 * self.w * self.offsets)
        starts, held = [0], 0.0
        for row, added in enumerate(cost):
            held += added
            if held > BAND_BYTES and row > starts[-1]:
                starts.append(row)
                held = added
        return [slice(a, b) for a, b in zip(starts, [*starts[1:], self.h], strict=True)]

    def matrices(self, split: str = "train") -> Array:
        """How many Gram matrices the cells of each row have."""
        partial = _partial(self.counts[split], split_size(self.shards, split))
        result: Array = self.w + partial.sum(axis=(1, 2))
        return result

    def equations(self, split: str, rows: slice) -> NormalEquations:
        """Sums of a split over a band, features standardised and targets centred."""
        return self._sums(split, np.arange(rows.start, rows.stop), self._blocks(split))

    def of_samples(self, samples: Array, rows: Array) -> NormalEquations:
        """Sums of some consecutive training samples over some rows of coarse cells."""
        blocks = (block + samples[0] for block in self._blocks_of(len(samples)))
        return self._sums("train", rows, blocks)

    def _sums(self, split: str, rows: Array, blocks: Iterator[Array]) -> NormalEquations:
        cells = len(rows) * self.w
        samples = split_size(self.shards, split)
        if not samples:
            nothing = np.zeros((0, 2), dtype=np.int64)
            return NormalEquations(cells, self.features, self.offsets, nothing)
        partial = _partial(self.counts[split][rows], samples) & self.trained[rows]
        where = np.argwhere(partial.reshape(cells, self.offsets))
        sums = NormalEquations(cells, self.features, self.offsets, where)
        time = self.shards.harmonics(split)
        band = slice(int(rows[0]), int(rows[-1]) + 1)
        within = rows - rows[0]
        for indices in blocks:
            inputs = fill_missing(coarse_inputs(self.shards, indices, split), self.fill)
            x = self._design(inputs, time[indices], band)[:, within]
            x = (x - self.mean[rows]) / self.std[rows]
            y = self._targets(split, indices)[rows] - self.target_mean[rows][:, :, None]
            x = np.moveaxis(x, 0, 2).reshape(cells, len(indices), self.features)
            sums.add(x, y.reshape(cells, len(indices), self.offsets))
        return sums

    def physical(self, solution: Array, rows: slice) -> Array:
        """Coefficients (rows, w, K, J) for features and targets as they are."""
        scaled = solution.reshape(-1, self.w, self.features, self.offsets)
        raw = scaled / self.std[rows][..., None]
        shift = (self.mean[rows][..., None] * raw).sum(axis=2)
        raw[:, :, -1] += self.target_mean[rows] - shift
        return np.where(self.trained[rows][:, :, None], raw, 0.0).astype(np.float32)

    def standardised(self, raw: Array, rows: Array) -> Array:
        """Coefficients (cells, K, J) of standardised features and centred targets.

        raw: (rows, w, K, J), those of features and targets as they are; the inverse of `physical`.
        """
        shift = (self.mean[rows][..., None] * raw).sum(axis=2)  # the constant's own mean is 0
        result = raw * self.std[rows][..., None]
        result[:, :, -1] = raw[:, :, -1] + shift - self.target_mean[rows]
        found: Array = result.reshape(-1, self.features, self.offsets)
        return found


class _Fit(RidgeSums):
    """One run of the regression over bands of coarse rows."""

    def validation_error(self, rows: slice, train: NormalEquations) -> Array:
        """Sum of squared errors per penalty and predictand over a band: (penalties, C)."""
        validation = self.equations("validation", rows)
        known = self.trained[rows].reshape(-1, self.offsets)
        errors = []
        for solution in train.solutions(PENALTIES):
            error = np.where(known, validation.squared_error(solution), 0.0).sum(axis=0)
            errors.append(error.reshape(self.shards.geometry.scale**2, -1).sum(axis=0))
        return np.array(errors)

    def run(self) -> RidgeFit:
        """Choose the penalties on the validation period, then solve."""
        bands = self.bands()
        kept: dict[int, NormalEquations] = {}
        error = np.zeros((len(PENALTIES), len(self.shards.variables["hr"])))
        for rows in bands:
            train = self.equations("train", rows)
            error += self.validation_error(rows, train)
            if len(bands) == 1:  # else the sums are made anew rather than held together
                kept[rows.start] = train
        penalty = self._choose(error)
        by_offset = np.tile(penalty, self.shards.geometry.scale**2)
        coefficients = np.concatenate(
            [
                self.physical(
                    (kept.get(rows.start) or self.equations("train", rows)).solve(by_offset), rows
                )
                for rows in bands
            ]
        )
        chosen = tuple(float(p) for p in penalty)
        return RidgeFit(coefficients, self.fill, self.lr_radius, self.radius, chosen, self.trained)

    def _choose(self, error: Array) -> Array:
        """Best penalty of each predictand; the default where validation has no values."""
        values = self.counts["validation"].reshape(-1, error.shape[1]).sum(axis=0)
        best = np.where(values > 0, PENALTIES[error.argmin(axis=0)], DEFAULT_PENALTY)
        for variable, penalty in zip(self.shards.variables["hr"], best, strict=True):
            logging.info("linear: %s penalty %.1e", variable.name, penalty)
        return best


def _partial(counts: Array, samples: int) -> Array:
    return (counts > 0) & (counts < samples)


def _fill_unseen(mean: Array) -> Array:
    """Means per cell; cells never seen get their channel's mean, channels never seen 0."""
    seen = np.isfinite(mean)
    count = seen.sum(axis=(0, 1))
    channel = np.where(seen, mean, 0.0).sum(axis=(0, 1)) / np.maximum(count, 1)
    return np.where(seen, mean, channel)


def fill_missing(inputs: Array, fill: Array) -> Array:
    """Replace missing inputs (n, h, w, Cin) by the training mean."""
    return np.where(np.isfinite(inputs), inputs, fill)


def fit_ridge(shards: Fields, predictor_radius: int = 0, lr_radius: int = LR_RADIUS) -> RidgeFit:
    """Exact ridge regression of every fine cell on its coarse surroundings.

    Features of a cell: each low-resolution channel within `lr_radius` coarse cells, predictors
    within `predictor_radius` coarse cells, sine and cosine of hour and day of year, a constant
    (not penalised). Features are standardised on the training period, where missing inputs take
    the mean; harmonics by their spread over a whole cycle, lest a short training period's trend
    pass for a season. The penalty with the least squared error over the validation period is
    taken, one per predictand. The sums run in float64 over blocks of time, so memory does not
    depend on the length of the training period. Hoerl and Kennard (1970),
    doi:10.1080/00401706.1970.10488634
    """
    return _Fit(shards, predictor_radius, lr_radius).run()


class Linear:
    """The fitted regression as a baseline; NaN in cells without training values."""

    name = "linear"

    def __init__(self, shards: PreparedData, predictor_radius: int = 0) -> None:
        self._shards = shards
        self.fit = fit_ridge(shards, predictor_radius)

    def predict(self, indices: Array, split: str) -> Array:
        """Regressed fields (n, y, x, C), float32, held to the valid range."""
        shards = self._shards
        fields = evaluate(self.fit, shards, indices, split)
        return clip_fields(fields, shards.predictands)


def evaluate(fit: RidgeFit, shards: Fields, indices: Array, split: str) -> Array:
    """Regressed fields (n, y, x, C) as those of the fit; NaN in cells without training values."""
    inputs = fill_missing(coarse_inputs(shards, indices, split), fit.fill)
    channels, rows = len(shards.variables["lr"]), slice(0, fit.fill.shape[0])
    time = shards.harmonics(split, indices)
    x = design(inputs, time, channels, fit.predictor_radius, rows, lr_radius=fit.lr_radius)
    coefficients = np.where(fit.trained[:, :, None], fit.coefficients, np.nan)
    return from_offsets(np.moveaxis(x, 0, 2) @ coefficients.astype(np.float64), shards.geometry)
