"""Events that scores of probabilities are about: values beyond thresholds."""

from __future__ import annotations

import numpy as np

from app.arrays import Array
from app.metrics.metric import Band, Subject
from app.options.scoring import Threshold

HIGH, LOW = Threshold(90.0, local=True), Threshold(10.0, local=True)
PERCENT = 100.0
DEFINITION = (
    "Events: values from an absolute threshold on, or above a percentile of the truth at their"
    " cell over the period scored (p90)."
)


def thresholds_of(subject: Subject, *, low: bool = True) -> tuple[Threshold, ...]:
    """Those that are asked for; else p90, and what counts as wet or, with `low`, p10."""
    if subject.scoring.thresholds:
        return subject.scoring.thresholds
    if subject.wet is None:
        return (LOW, HIGH) if low else (HIGH,)
    limit = subject.wet.value
    return (HIGH,) if limit is None else (Threshold(limit), HIGH)


def levels(band: Band, thresholds: tuple[Threshold, ...]) -> list[Array]:
    """The value (y, x) of each threshold in every cell; NaN where nothing is scored."""
    shares = [one.value / PERCENT for one in thresholds if one.local]
    own = iter(())
    if shares:
        own = iter(band.ordered_truth.quantiles(shares))
    shape = band.truth.shape[1:]
    return [next(own) if one.local else np.full(shape, one.value) for one in thresholds]


def beyond(fields: Array, level: Array, threshold: Threshold) -> Array:
    """Where fields (…, y, x) have the event; an absolute limit is as single as they are."""
    if threshold.local:
        result: Array = fields > level
        return result
    result = fields >= level.astype(fields.dtype)
    return result
