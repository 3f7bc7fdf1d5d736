"""What an evaluation comes to: the table, and what the figures are drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.data.description import Variable
from app.metrics.bins import BinScores
from app.metrics.spectra import Spectra
from app.metrics.table import Table
from app.metrics.wet_probability import WetProbabilitySums

if TYPE_CHECKING:
    from app.grids import Grid


@dataclass(frozen=True, eq=False)
class Example:
    """The sample whose model error is the median one: what the maps show.

    fields: truth and candidates by name, (y, x); coarse: its low-resolution field on its own
    grid, None where the predictand has none; members (M, y, x), None where there are none.
    """

    time: str
    fields: dict[str, np.ndarray]
    coarse: np.ndarray | None
    coarse_grid: Grid
    members: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class VariableResult:
    """One predictand's results for the figures; arrays lead with the candidates' axis."""

    variable: Variable
    candidates: tuple[str, ...]
    label: str  # what its metrics carry in the table: "" or "[name]"
    sample_rmse: np.ndarray  # (k, n)
    maps: dict[str, np.ndarray]  # each (k, y, x)
    example: Example
    spectra: Spectra | None = None  # None where no sample's fields are complete
    rank_histogram: np.ndarray | None = None  # (M + 1,) shares; None without members
    wet_probability: WetProbabilitySums | None = None  # None without members or a wet limit
    bins: BinScores | None = None  # None where the training values are all alike


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The table, and what the figures are drawn from."""

    table: Table
    variables: tuple[VariableResult, ...]
    grid: Grid

    def __str__(self) -> str:
        return str(self.table)
