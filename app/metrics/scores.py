"""The scores of a prediction as text: the verdict first, then the table of all of them."""

from __future__ import annotations

from dataclasses import dataclass

from app.metrics.table import Table
from app.metrics.verdict import Verdict

MORE = "All scores: metrics/summary.txt and summary.csv, or --all_scores."


@dataclass(frozen=True, eq=False)
class Scores:
    """What every evaluation has to say."""

    table: Table
    verdict: Verdict

    def text(self, *, everything: bool) -> str:
        """The verdict, and with `everything` all rows and definitions below."""
        return f"{self.verdict}\n{self.table if everything else MORE}"

    def __str__(self) -> str:
        return self.text(everything=True)
