"""What values and metadata tell of rain and snow, where nothing is said of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.arrays import Array, Json
from app.data.amounts import SMALL, SUM, TimeMeaning
from app.data.description import Variable
from app.durations import duration_text

SAMPLED_TIMES = 24  # read to tell the range of values
INTERVAL, RATIO = "interval", "ratio"
LONGEST_ACCUMULATION = 86400  # seconds; a longer step, such as a month, has no one length


def sampled_rows(times: int) -> Array:
    """Some rows of a record, evenly spread, that tell the range of its values."""
    rows: Array = np.unique(np.linspace(0, times - 1, SAMPLED_TIMES).astype(np.int64))
    return rows


def is_rain(meaning: TimeMeaning, values: Array) -> bool:
    """Whether values of any shape are amounts or rates of rain or snow, and no anomaly of one."""
    if not meaning.precipitation or not np.isfinite(values).any():
        return False
    return bool(np.nanmin(values) >= -SMALL * np.nanmax(values))


def as_rain(given: Variable, meaning: TimeMeaning, step: int) -> Variable:
    """A variable that is rain: a ratio that is not below 0, amounts gathered over a `step` (s).

    What is said of kind, bounds, accumulation and wet threshold stays as it is.
    """
    told: Json = {"kind": given.kind or RATIO}
    if given.valid_min is None:
        told["valid_min"] = 0.0
    known = given.accumulation or given.wet_threshold
    if not known and meaning.method == SUM and 0 < step <= LONGEST_ACCUMULATION:
        told["accumulation"] = duration_text(step)
    return replace(given, **told)
