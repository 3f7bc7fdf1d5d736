"""What every row of the table is: definitions for readers of numbers and of papers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


def about_row(name: str, metrics: Iterable[Metric]) -> About | None:
    """What a row is: of the metric whose longest key begins the row's name; None if none does."""
    known = {key: one for metric in metrics for key, one in metric.about.items()}
    keys = [key for key in known if name.startswith(key)]
    return known[max(keys, key=len)] if keys else None


def definitions(results: Sequence[Result]) -> list[list[object]]:
    """A line of `COLUMNS` for every row of the table."""
    lines: list[list[object]] = []
    for result in results:
        for row in result.own_rows:
            name = row.metric.removesuffix(result.label)
            about = about_row(name, result.metrics) or About("", "", "", "", "")
            end = next((text for tail, text in ENDS.items() if name.endswith(tail)), "")
            n = result.count if row.n is None else row.n
            lines.append(
                [
                    *(row.metric, row.unit, end + about.long_name, about.formula),
                    *(about.estimator, about.weighting, about.order, n),
                ]
            )
    return lines
