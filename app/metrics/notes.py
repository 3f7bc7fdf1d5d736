"""What stands below the score table: the data behind it and the definitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from app.baselines.base import split_size
from app.data.times import Stamps
from app.metrics.bootstrap import MIN_BLOCKS, RESAMPLES, block_length
from app.metrics.confidence import ENDS, effective_samples

if TYPE_CHECKING:
    from app.data.contract import PreparedData
    from app.metrics.metric import Metric, Subject
    from app.metrics.prediction import Prediction
    from app.metrics.table import Row

UNKNOWN = "too few valid values"
Scored = tuple["Subject", tuple["Metric", ...]]


def notes(
    shards: PreparedData,
    split: str,
    scored: Sequence[Scored],
    prediction: Prediction,
    rows: Sequence[Row],
) -> tuple[str, ...]:
    """Footer lines; `rows` are those of the table."""
    periods = dict.fromkeys((*shards.splits, split))
    lines = [_period(shards, name) for name in periods]
    for subject, metrics in scored:
        name = subject.variable.name
        label = f"[{name}]" if len(scored) > 1 else ""
        own = [row for row in rows if row.metric.endswith(label)]
        remarks = [remark for metric in metrics for remark in metric.remarks()]
        remarks += effective(own, subject, label)
        missing = _undefined(own, metrics, subject.candidates[0], label)
        lines += [f"{name}: {remark}" for remark in (*remarks, *missing)]
    lines += prediction.remarks()
    definitions = dict.fromkeys(
        sentence for _, metrics in scored for metric in metrics for sentence in metric.definitions
    )
    length = block_length(shards.times(split))
    blocks = f" of {RESAMPLES} moving-block resamples, blocks of {length} samples"
    if shards.size(split) < MIN_BLOCKS * length:
        blocks = f": none, the period is shorter than {MIN_BLOCKS} blocks of {length} samples"
    return (*lines, *definitions, f"95 % intervals (_low, _high){blocks}.")


def effective(rows: Iterable[Row], subject: Subject, label: str) -> list[str]:
    """A line on how many independent samples the squared errors of the model are worth."""
    made = next((row.sampled for row in rows if row.metric == f"rmse{label}"), None)
    if made is None:
        return []
    number = effective_samples(made, block_length(subject.times))[0]
    value = f"{number:.0f}" if np.isfinite(number) else "not known"
    of_all = f"{value} of {int(subject.judged.sum())}"
    return [f"effective number of samples, by the squared errors of the model: {of_all}"]


def _undefined(rows: Iterable[Row], metrics: Sequence[Metric], model: str, label: str) -> list[str]:
    """A line on the scores of the model that have no value, by reason; none if all have one."""
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        name = row.metric.removesuffix(label)
        value = row.values.get(model, (np.nan, np.nan))[0]
        if row.values and not np.isfinite(value) and not name.endswith(ENDS):
            reasons = (metric.why_undefined(name) for metric in metrics)
            by_reason.setdefault(next(filter(None, reasons), UNKNOWN), []).append(name)
    parts = [f"{', '.join(names)}: {reason}" for reason, names in by_reason.items()]
    return [f"the model has no value (–) of {'; of '.join(parts)}"] if parts else []


def _period(shards: PreparedData, split: str) -> str:
    if not split_size(shards, split):
        return f"{split}: no samples"
    times = Stamps.of(shards.times(split))
    return f"{split}: {len(times)} samples, {times.span().replace('T', ' ')}"
