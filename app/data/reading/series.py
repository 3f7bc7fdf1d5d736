"""One variable over its files: rows in time order, read as they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from absl import logging

from app.arrays import Array
from app.data.reading.parts import Part
from app.data.times import Stamps, common_calendar
from app.errors import InputError


class Series(Protocol):
    """One variable in time order: `seconds` (n,) and any of its rows."""

    seconds: Array
    calendar: str
    weight: int  # raw rows behind one row

    def read(self, rows: Array) -> Array:
        """Rows → (len(rows), y, x) float32, in the file's units."""


class FileSeries:
    """One variable over its files, sorted by time."""

    weight = 1

    def __init__(self, parts: Sequence[Part], shift: int, where: str) -> None:
        self._parts = tuple(parts)
        self.files = len(self._parts)
        stamps = [part.stamps for part in parts if part.stamps is not None]
        if len(stamps) < len(parts):
            first = next(part for part in parts if part.stamps is None)
            others = ", as other files have" if stamps else ""
            raise InputError(
                f"{first.path}: {first.variable.source_name} has no time; expected a dimension "
                f"of times, or one time of the whole file{others}"
            )
        calendar = common_calendar(stamps)
        if calendar is None:
            names = ", ".join(sorted({stamp.calendar for stamp in stamps}))
            raise InputError(
                f"{where}: files with different calendars ({names}); calendar: standard brings "
                "them together by their dates"
            )
        self.calendar = calendar
        seconds = np.concatenate([stamp.seconds for stamp in stamps]) + shift
        owner = np.repeat(np.arange(len(parts)), [len(stamp) for stamp in stamps])
        row = np.concatenate([np.arange(len(stamp)) for stamp in stamps])
        order = np.argsort(seconds, kind="stable")
        if any((np.diff(stamp.seconds) < 0).any() for stamp in stamps):
            logging.info("%s: times are not in order; sorted", where)
        self.seconds, self._owner, self._row = seconds[order], owner[order], row[order]
        self._refuse_duplicates()

    def _refuse_duplicates(self) -> None:
        twice = np.flatnonzero(np.diff(self.seconds) == 0)
        if not len(twice):
            return
        first = Stamps(self.seconds, self.calendar).text(twice[0])
        one, other = (self._parts[self._owner[twice[0] + i]].path for i in (0, 1))
        name = self._parts[0].variable.source_name
        times = "1 time occurs" if len(twice) == 1 else f"{len(twice)} times occur"
        places = f"in it and in {other}" if one != other else "within it"
        raise InputError(
            f"{one}: {name}: {times} twice, the first {first}, {places}; expected each time once"
        )

    def read(self, rows: Array) -> Array:
        rows = np.asarray(rows)
        owners = self._owner[rows]
        blocks = None
        for owner in np.unique(owners):
            mine = owners == owner
            values = self._parts[owner].read(self._row[rows[mine]])
            if blocks is None:
                blocks = np.empty((len(rows), *values.shape[1:]), np.float32)
            blocks[mine] = values
        if blocks is None:
            raise ValueError("no rows asked for")
        return blocks
