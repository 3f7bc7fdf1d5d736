"""What the scores say, in sentences: first on the screen, in summary.txt and in verdict.json."""

from app.metrics.verdict.verdict import Verdict, verdict_of

__all__ = ["Verdict", "verdict_of"]
