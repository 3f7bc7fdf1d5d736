"""Which rows of the sources belong together in time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from absl import logging

from app.arrays import Array
from app.data.description import Source
from app.data.reading.sources import Opened
from app.data.times import DAY, Stamps, common_calendar, modal_step
from app.errors import InputError


def align(
    predictand: Opened, others: Sequence[tuple[str, Source, Opened]]
) -> tuple[Stamps, Array, list[Array]]:
    """Times of the predictand at which all others, with all their lags, have data.

    Returns these times (n,), the predictand's rows (n,), and each other's rows (n, lags).
    InputError names the periods where nothing is left.
    """
    stamps = predictand.stamps
    keep = np.ones(len(stamps), bool)
    rows: list[Array] = []
    for role, source, opened in others:
        found, present = _match(stamps, source, opened, role)
        if not present.any():
            raise InputError(_nothing_left(stamps, source, opened, role))
        keep &= present
        rows.append(found)
    if not keep.any():
        raise InputError(
            f"no time is in all sources: predictand {stamps.span()}; "
            + "; ".join(f"{role} {opened.stamps.span()}" for role, _, opened in others)
        )
    if not keep.all():
        logging.info(
            "%d of %d times of the predictand dropped: not in all sources",
            (~keep).sum(),
            len(keep),
        )
    return stamps.take(keep), np.flatnonzero(keep), [found[keep] for found in rows]


def _match(stamps: Stamps, source: Source, opened: Opened, role: str) -> tuple[Array, Array]:
    """Rows (n, lags) of the other source, and at which stamps all of them exist."""
    if common_calendar((stamps, opened.stamps)) is None:
        raise InputError(
            f"{role} {opened.where}: calendar {opened.stamps.calendar}, but the predictand's is "
            f"{stamps.calendar}; calendar: {stamps.calendar} for this source brings its dates to "
            "the predictand's"
        )
    unit = DAY if source.align == "day" else 1
    there = opened.stamps.seconds // unit
    if (np.diff(there) == 0).any():
        first = opened.stamps.text(int(np.flatnonzero(np.diff(there) == 0)[0]))
        raise InputError(
            f"{role} {opened.where}: several times on one day, the first {first}; "
            "align: day needs daily data (aggregate: 1D:mean)"
        )
    lags = np.asarray(source.lags, np.int64) * modal_step(there)
    wanted = (stamps.seconds // unit)[:, None] - lags
    found = np.minimum(np.searchsorted(there, wanted), len(there) - 1)
    return found, (there[found] == wanted).all(axis=1)


def _nothing_left(stamps: Stamps, source: Source, opened: Opened, role: str) -> str:
    unit = DAY if source.align == "day" else 1
    if max(source.lags) and np.isin(stamps.seconds // unit, opened.stamps.seconds // unit).any():
        return (
            f"{role} {opened.where}: no time with all lags ({', '.join(map(str, source.lags))} "
            f"steps back); it has {len(opened.stamps)} times, {opened.stamps.span()}"
        )
    text = (
        f"{role} {opened.where} and the predictand have no time in common: "
        f"{opened.stamps.span()} against {stamps.span()}"
    )
    same_days = np.isin(stamps.seconds // DAY, opened.stamps.seconds // DAY).any()
    if source.align == "exact" and same_days:
        text += " (the same days at other hours: align: day, or time_shift)"
    return text
