"""Training means by calendar month and hour of day: the score of knowing the date alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from app.arrays import Array
from app.baselines.base import clip_fields, fine_values, time_blocks
from app.data.description import Variable
from app.data.times import DAY, Stamps, modal_step

if TYPE_CHECKING:
    from app.data.contract import PreparedData

MIN_CLASS_SAMPLES = 10  # the mean of m values adds 1/m to the error variance: here at most 10 %
HOUR = 3600  # seconds

ClassLabel = tuple[int, int]  # (month, hour); hour −1 stands for the whole day
EVERYTHING: ClassLabel = (0, -1)


def month_hour(times: Array, sub_daily: bool) -> list[ClassLabel]:
    """Class of each stamp, for any calendar."""
    stamps = Stamps.of(times)
    months = stamps.fields()[1]
    hours = stamps.seconds % DAY // HOUR if sub_daily else np.full(len(times), -1)
    return [(int(month), int(hour)) for month, hour in zip(months, hours, strict=True)]


class Climatology:
    """Training mean per cell by calendar month, and hour of day where steps are below a day.

    A cell with fewer than `MIN_CLASS_SAMPLES` values in a class uses its mean of the month,
    and with fewer in the month its mean over the whole training period: a class mean from a
    handful of values would be noisier than the cycle it is to show. Data without real times
    have only the overall mean.
    """

    name = "climatology"

    def __init__(self, shards: PreparedData) -> None:
        self._shards = shards
        self._variables: tuple[Variable, ...] = shards.predictands
        step = modal_step(Stamps.of(shards.times("train")).seconds)
        self._sub_daily = 0 < step < DAY
        labels = self._labels("train")
        sums, counts = self._accumulate(labels)
        self._overall = _mean(sum(sums.values()), sum(counts.values()))
        self._months = {}
        for month in sorted({month for month, _ in sums}):
            total = sum(s for (m, _), s in sums.items() if m == month)
            count = sum(n for (m, _), n in counts.items() if m == month)
            self._months[month] = _mean_or(total, count, self._overall)
        self._classes = {
            label: _mean_or(sums[label], counts[label], self._months[label[0]]) for label in sums
        }

    def _labels(self, split: str) -> list[ClassLabel]:
        if not self._shards.has_times:
            return [EVERYTHING] * self._shards.size(split)
        return month_hour(self._shards.times(split), self._sub_daily)

    def _accumulate(
        self, labels: list[ClassLabel]
    ) -> tuple[dict[ClassLabel, Any], dict[ClassLabel, Any]]:
        """Sum and number of valid values per class, each (y, x, C)."""
        shape = (*self._shards.geometry.fine_shape, len(self._variables))
        sums = {label: np.zeros(shape) for label in sorted(set(labels))}
        counts = {label: np.zeros(shape, dtype=np.int32) for label in sums}
        for indices in time_blocks(len(labels), fine_values(self._shards)):
            block = self._shards.read("hr", "train", indices)
            for field, index in zip(block, indices, strict=True):
                valid = np.isfinite(field)
                sums[labels[index]] += np.where(valid, field, 0.0)
                counts[labels[index]] += valid
        return sums, counts

    def predict(self, indices: Array, split: str) -> Array:
        """Mean fields (n, y, x, C), float32, of each sample's month and hour."""
        labels = self._labels(split)
        chosen = [labels[index] for index in indices]
        fields = [
            self._classes.get(label, self._months.get(label[0], self._overall)) for label in chosen
        ]
        return clip_fields(np.stack(fields), self._variables)


def _mean(total: Array, count: Array) -> Array:
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean.astype(np.float32)


def _mean_or(total: Array, count: Array, fallback: Array) -> Array:
    """Mean where there are enough values, else the fallback."""
    return np.where(count >= MIN_CLASS_SAMPLES, _mean(total, count), fallback)
