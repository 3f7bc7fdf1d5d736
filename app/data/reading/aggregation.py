"""Steps gathered into longer ones: "1D:mean" makes days of hours while they are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from absl import logging

from app.arrays import Array
from app.data.reading.series import Series
from app.data.times import DAY, duration, modal_step
from app.errors import InputError

METHODS: dict[str, Callable[..., Any]] = {
    "mean": np.mean,
    "sum": np.sum,
    "max": np.max,
    "min": np.min,
}


class Aggregated:
    """A series in whole periods counted from midnight; a period that lacks steps is left out.

    A missing step makes the whole period missing: a sum or an extreme of part of a day is none.
    Steps shorter than a day that are `gathered` before their stamps belong to the period in which
    they were gathered: that of 00:00 to the day before. So do steps of any length where time bounds
    say that stamps are their `ends`.
    """

    def __init__(
        self,
        series: Series,
        option: str,
        where: str,
        *,
        gathered: bool = False,
        ends: bool = False,
    ) -> None:
        text, _, method = option.partition(":")
        if method not in METHODS:
            raise InputError(
                f"{where}: aggregate is {option!r}, expected a duration and one of "
                f"{', '.join(METHODS)}, such as 1D:mean"
            )
        length = duration(text, where)
        if length <= 0:
            raise InputError(f"{where}: aggregate {option}: expected a positive duration")
        self._series, self._reduce = series, METHODS[method]
        self.calendar = series.calendar
        step = modal_step(series.seconds)
        early = ends or (gathered and 0 < step < DAY)
        if early:
            logging.info("%s: a value stamped 00:00 is counted to the day before", where)
        periods, starts, counts = np.unique(
            (series.seconds - early) // length, return_index=True, return_counts=True
        )
        self.weight = length // max(1, step)
        if not self.weight:
            raise InputError(
                f"{where}: aggregate {option}: the times are {step} s apart already; expected a "
                "longer duration"
            )
        whole = counts == self.weight
        if not whole.any():
            raise InputError(
                f"{where}: aggregate {option}: no period has all of its {self.weight} steps"
            )
        if not whole.all():
            logging.info(
                "%s: %d of %d periods of %s have not %d steps and are left out",
                where,
                (~whole).sum(),
                len(whole),
                text,
                self.weight,
            )
        self.seconds = periods[whole] * length
        self._starts = starts[whole]

    def read(self, rows: Array) -> Array:
        steps = (self._starts[rows][:, None] + np.arange(self.weight)).ravel()
        fields = self._series.read(steps)
        periods = fields.reshape(len(rows), self.weight, *fields.shape[1:]).astype(np.float64)
        result: Array = self._reduce(periods, axis=1).astype(np.float32)
        return result
