"""What every row of the table is: definitions for readers of numbers and of papers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from app.metrics.table import About

if TYPE_CHECKING:
    from app.metrics.metric import Metric, Result

COLUMNS = (
    *("metric", "units", "long_name", "formula", "estimator"),
    *("weighting", "order_of_reduction", "n"),
)
ENDS = {
    "_low": "lower end of the 95 % interval of the ",
    "_high": "upper end of the 95 % interval of the ",
}


UNKNOWN = About("", "", "", "", "")


def about_row(name: str, metrics: Iterable[Metric]) -> About | None:
    """What a row is, None if no metric says so.

    Of the longest key that is the row's name, or its first words: `fss_`, `return` of `return_10`.
    """
    known = {key: one for metric in metrics for key, one in metric.about.items()}
    keys = [key for key in known if name == key or name.startswith(f"{key.removesuffix('_')}_")]
    return known[max(keys, key=len)] if keys else None


def definitions(results: Sequence[Result]) -> list[list[object]]:
    """A line of `COLUMNS` for every row of the table."""
    lines: list[list[object]] = []
    for result in results:
        names = {row.metric.removesuffix(result.label) for row in result.own_rows}
        for row in result.own_rows:
            name = row.metric.removesuffix(result.label)
            base, end = _parted(name, names)
            about = about_row(base, result.metrics) or UNKNOWN
            n = row.n
            if n is None:
                n = result.samples if about.of_samples else result.count
            lines.append(
                [
                    *(row.metric, row.unit, end + about.long_name, about.formula),
                    *(about.estimator, about.weighting, about.order, n),
                ]
            )
    return lines


def _parted(name: str, names: Collection[str]) -> tuple[str, str]:
    """The score that a row is of, and what the row is of it where it is the end of an interval."""
    for tail, text in ENDS.items():
        base = name.removesuffix(tail)
        if base != name and base in names:
            return base, text
    return name, ""


def map_attributes(name: str, result: Result) -> dict[str, str]:
    """Formula and number of values of a map that is named as a row is, or as rows begin."""
    about = about_row(name, result.metrics)
    known = {"n": f"{result.count} in all cells"}
    return known if about is None else {"formula": about.formula, **known}
