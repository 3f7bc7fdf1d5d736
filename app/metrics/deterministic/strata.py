"""Errors by hour, month, season, land and sea, height, and regions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.data.times import DAY, Stamps
from app.metrics.arithmetic import divide
from app.metrics.climatic.days import SEASONS, season_of
from app.metrics.deterministic.mean_rows import mean_rows
from app.metrics.metric import Block, Metric, Sheet, Subject, Totals
from app.metrics.table import About

if TYPE_CHECKING:
    from app.metrics.table import Row

NAMES = ("absolute", "squares", "error")
COLUMNS = ("variable", "by", "group", "unit", "weight", "candidate", "mae", "rmse", "bias")
PREFIX = "by_"
HALF = 0.5  # share of land from which on a cell is land
BANDS = 4  # of height, each of as many cells
HOURS = 24


class Regions(Metric):
    """Sums by area, candidate and sample: weight (A, n), sums by name (A, k, n)."""

    summed = ("weight", "sums")
    about: ClassVar[Mapping[str, About]] = {
        PREFIX: About(
            "root mean square error of a part of the cells or times",
            "sqrt(mean (x̂ - x)²)",
            "values of the part alone",
            order="space and time at once, the root last",
        )
    }
    definitions = ("by_P_G_rmse: of a part of the values; strata.csv also has mae and bias.",)

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.areas = self.areas_of(subject)
        self.weight = subject.per_sample(len(self.areas))
        size = len(self.areas), len(subject.candidates)
        self.sums = {name: subject.per_sample(*size) for name in NAMES}
        self._lines: list[list[object]] = []  # of the sheet, made with the rows

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        return bool(subject.regions.masks)

    @classmethod
    def areas_of(cls, subject: Subject) -> dict[tuple[str, str], Array]:
        """Masks (y, x) by what divides the cells, and group."""
        return {("region", name): mask for name, mask in subject.regions.masks.items()}

    def add(self, block: Block) -> None:
        if not self.areas:
            return
        masks = np.stack(list(self.areas.values())).astype(np.float64)
        indices = block.indices
        self.weight[:, indices] = np.einsum("ayx,nyx->an", masks, block.weights)
        for k in range(len(block.fields)):
            error = block.error(k)
            parts = np.abs(error), error**2, error
            for name, values in zip(NAMES, parts, strict=True):
                weighted = block.weights * values
                self.sums[name][:, k, indices] = np.einsum("ayx,nyx->an", masks, weighted)

    def groups(self, errors: Totals) -> Iterator[tuple[str, str, Array, dict[str, Array]]]:
        """What divides, group, weights (n,) and sums by name (k, n)."""
        for a, (by, group) in enumerate(self.areas):
            yield by, group, self.weight[a], {name: own[a] for name, own in self.sums.items()}

    def rows(self, errors: Totals) -> list[Row]:
        self._lines = list(self._table(errors))
        rows = []
        for by, group, weight, sums in self.groups(errors):
            if by not in ("hour", "month") and weight.any():
                name, unit = f"{PREFIX}{by}_{group}_rmse", self.subject.unit
                rows += mean_rows(self.subject, name, unit, sums["squares"], weight, root=True)
        return rows

    def _table(self, errors: Totals) -> Iterator[list[object]]:
        subject = self.subject
        for by, group, weight, sums in self.groups(errors):
            total = float(weight.sum())
            if total:
                absolute, squares, error = (divide(sums[name].sum(axis=1), total) for name in NAMES)
                scores = np.stack([absolute, np.sqrt(squares), error], axis=1)
                head: list[object] = [subject.variable.name, by, group, subject.unit, total]
                for name, own in zip(subject.candidates, scores, strict=True):
                    yield [*head, name, *map(float, own)]

    def tables(self) -> dict[str, Sheet]:
        return {"strata": Sheet(COLUMNS, self._lines)}


class Strata(Regions):
    """Likewise by land and sea, height, season, month and hour."""

    core = False

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        return subject.consecutive is not None or bool(cls.areas_of(subject))

    @classmethod
    def areas_of(cls, subject: Subject) -> dict[tuple[str, str], Array]:
        found: dict[tuple[str, str], Array] = {}
        land, heights = subject.ground.land, subject.ground.heights
        if land is not None:
            found |= {("surface", "land"): land >= HALF, ("surface", "sea"): land < HALF}
        if heights is not None:
            edges = np.nanquantile(heights, np.linspace(0, 1, BANDS + 1)[1:-1])
            band = np.where(np.isfinite(heights), np.searchsorted(edges, heights), -1)
            found |= {("height", f"{b + 1}"): band == b for b in range(BANDS)}
        return found

    def groups(self, errors: Totals) -> Iterator[tuple[str, str, Array, dict[str, Array]]]:
        yield from super().groups(errors)
        if self.subject.consecutive is None:
            return
        stamps = Stamps.of(self.subject.times)
        month = stamps.fields()[1]
        hour = stamps.seconds % DAY * HOURS // DAY
        season = np.array(SEASONS)[season_of(month)]
        for by, group in (("season", season), ("month", month), ("hour", hour)):
            for name in dict.fromkeys(group.tolist()):
                own = group == name
                sums = {key: errors.sample[key] * own for key in NAMES}
                label = name if by == "season" else f"{name:02d}"
                yield by, label, errors.weight * own, sums

    def remarks(self) -> list[str]:
        heights = self.subject.ground.heights
        if heights is None:
            return []
        edges = np.nanquantile(heights, np.linspace(0, 1, BANDS + 1))
        parts = " to ".join(f"{edge:.4g}" for edge in edges)
        return [f"by_height: {BANDS} bands of as many cells, from {parts} of the static field"]
