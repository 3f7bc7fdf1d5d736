"""The scores of a prediction as text: the verdict first, then the table of all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import wrap

from app.metrics.confidence import Comparison
from app.metrics.table import GAP, Table
from app.metrics.verdict import Verdict
from app.metrics.verdict.brief import WIDTH

COMPARED = "The model, score by score (5 % for all pairs of a score together, after Holm)"
MORE = "All scores: metrics/summary.txt and summary.csv, or --all_scores."


@dataclass(frozen=True, eq=False)
class Scores:
    """What every evaluation has to say.

    comparisons: of candidates, score by score; compared: what they tell, in sentences.
    """

    table: Table
    verdict: Verdict
    comparisons: tuple[Comparison, ...] = field(default=(), kw_only=True)
    compared: tuple[str, ...] = field(default=(), kw_only=True)

    def text(self, *, everything: bool) -> str:
        """The verdict, and with `everything` all rows and definitions below."""
        if not everything:
            return f"{self.verdict}\n{MORE}"
        lines = [
            line for said in self.compared for line in wrap(said, WIDTH, subsequent_indent=GAP)
        ]
        between = [COMPARED, "", *lines, ""] if lines else []
        return "\n".join([str(self.verdict), *between, str(self.table)])

    def __str__(self) -> str:
        return self.text(everything=True)
