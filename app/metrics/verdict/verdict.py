"""The verdict on a prediction: sentences, a small table, and what to try next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from app.arrays import Json
from app.metrics.bootstrap import MIN_BLOCKS, RESAMPLES, block_length
from app.metrics.verdict.brief import WIDTH, Brief, brief_of
from app.metrics.verdict.findings import Finding, findings_of
from app.metrics.verdict.rivals import errors_of, rivals_of
from app.running.atomic import write_json

if TYPE_CHECKING:
    from app.metrics.metric import Result

INDENT = "  "
REMEDIES = 3  # told at the most
FILE = "verdict.json"


@dataclass(frozen=True)
class Judgement:
    """What is said of one predictand."""

    variable: str
    unit: str
    findings: tuple[Finding, ...]
    brief: Brief
    remedies: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(finding.sentence for finding in self.findings)

    def as_json(self) -> Json:
        return {
            "variable": self.variable,
            "unit": self.unit,
            "sentences": list(self.sentences),
            "to_try": list(self.remedies),
            "findings": [
                {
                    "topic": finding.topic,
                    "sentence": finding.sentence,
                    "numbers": {name: n.as_json() for name, n in finding.numbers.items()},
                    "wanting": list(finding.wanting),
                }
                for finding in self.findings
            ],
            "candidates": self.brief.numbers,
        }


@dataclass(frozen=True)
class Verdict:
    """What is said of a prediction, predictand by predictand.

    title: what is scored; intervals: how they were made.
    """

    title: str
    intervals: str
    judgements: tuple[Judgement, ...]

    def __str__(self) -> str:
        """The sentences, then a table of six rows for each predictand."""
        several = len(self.judgements) > 1
        lines = [self.title, ""]
        for one in self.judgements:
            name = f"{one.variable}: " if several else ""
            lines += [line for said in one.sentences for line in _wrapped(f"{name}{said}")]
            remedies = one.remedies
            lines += [line for said in remedies for line in _wrapped(f"{name}To try: {said}")]
        for one in self.judgements:
            lines += ["", str(one.brief)]
        meanings = dict.fromkeys(m for one in self.judgements for m in one.brief.meanings)
        told = f"{'; '.join(meanings)}; where 1 is right, ratios to the truth. " if meanings else ""
        notes = told + self.intervals
        lines += ["", *wrap(notes, WIDTH), ""]
        return "\n".join(lines)

    def write(self, folder: Path) -> None:
        """Write verdict.json: the sentences, and the numbers behind them."""
        content = {
            "title": self.title,
            "intervals": self.intervals,
            "variables": [one.as_json() for one in self.judgements],
        }
        write_json(folder / FILE, content)


def verdict_of(title: str, results: Sequence[Result]) -> Verdict:
    """What the scores of a prediction say."""
    subject = results[0].subject
    length = block_length(subject.times)
    blocks = "1 sample" if length == 1 else f"{length} samples"
    intervals = f"In brackets: 95 % intervals, from {RESAMPLES} moving-block resamples of {blocks}."
    if subject.samples < MIN_BLOCKS * length:
        intervals = f"No intervals: the period is shorter than {MIN_BLOCKS} blocks of {blocks}."
    return Verdict(title, intervals, tuple(map(_judgement, results)))


def _judgement(result: Result) -> Judgement:
    findings = tuple(findings_of(result))
    wanting = dict.fromkeys(key for finding in findings for key in finding.wanting)
    remedies = result.subject.remedies
    told = dict.fromkeys(remedies[key] for key in wanting if key in remedies)
    errors = errors_of(result)
    return Judgement(
        result.subject.variable.name,
        result.subject.unit,
        findings,
        brief_of(result, errors, rivals_of(result, errors)),
        tuple(told)[:REMEDIES],
    )


def _wrapped(sentence: str) -> list[str]:
    return wrap(sentence, WIDTH, subsequent_indent=INDENT, break_on_hyphens=False)
