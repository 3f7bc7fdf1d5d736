"""How fast the program is, beside what one would otherwise use.

    python -m scripts.benchmarks train|stream|scale|infer|metrics|prepare|startup|quick|all …
    python -m scripts.benchmarks --markdown

Things that are compared are done in turns within one run; each value is the median of the turns
with their range, by the clock and by the processor time of the process. Results are kept as JSON
in build/benchmarks, with the machine, its load and the versions; --markdown puts their tables into
docs/performance.md. DL4DS and PyTorch are installed there into environments of their own, from the
index that pip is set up for; what cannot be installed is left out, and its table says so.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from scripts.benchmarks.results import (
    BUSY,
    FOLDER,
    REPOSITORY,
    Table,
    keep,
    kept,
    machine,
    machine_line,
)
from scripts.benchmarks.settings import Settings

HEADINGS = {
    "train": "Training",
    "stream": "Reading",
    "scale": "Several ranks",
    "infer": "Prediction",
    "metrics": "Scores",
    "prepare": "Preparation",
    "startup": "Start",
}
QUESTIONS = tuple(HEADINGS)
QUICK: dict[str, dict[str, Any]] = {
    "train": {"networks": ("resnet-spc",), "seconds": 0.7},
    "prepare": {},
    "startup": {"runs": 1},
}
WORDS = (*QUESTIONS, "quick", "all")
PAGE = REPOSITORY / "docs" / "performance.md"
BEGIN, END = "<!-- tables -->", "<!-- end of tables -->"


def main(argv: list[str]) -> int:
    """Ask the questions, or write the page; 1 where one of them could not be answered."""
    parser = _parser()
    given = parser.parse_args(argv)
    if unknown := [word for word in given.questions if word not in WORDS]:
        parser.error(f"{unknown[0]}: expected some of {', '.join(WORDS)}")
    names = list(dict.fromkeys(name for word in given.questions for name in _named(word)))
    failed = []
    for name in names:
        settings = _settings(given, name)
        try:
            _ask(name, settings, given)
        except Exception:  # the other questions are asked all the same
            failed.append(name)
            traceback.print_exc()
    if given.markdown:
        write_page(PAGE, given.folder)
        print(PAGE)
    return 1 if failed else 0


def _named(word: str) -> tuple[str, ...]:
    return {"all": QUESTIONS, "quick": tuple(QUICK)}.get(word, (word,))


def _settings(given: argparse.Namespace, name: str) -> Settings:
    quick = QUICK.get(name, {}) if "quick" in given.questions else {}
    return Settings(
        **{
            "runs": 3 if "quick" in given.questions else given.runs,
            "seconds": given.seconds,
            "threads": given.threads,
            "networks": tuple(given.networks or ()),
            "precisions": tuple(given.precision.split(",")),
            "error_seconds": given.error_seconds,
            "folder": given.folder,
            "work": given.work,
            "small": given.small,
            "outside": not given.alone,
            **quick,
        }
    )


def _ask(name: str, settings: Settings, given: argparse.Namespace) -> None:
    facts = {**machine(), "threads": settings.threads, "command": " ".join(sys.argv[1:])}
    if facts["load_at_start"] > BUSY * facts["cores"]:
        print(f"{name}: the machine is busy, its load is {facts['load_at_start']:.1f}; wall times "
              "are not those of a quiet one", file=sys.stderr)  # fmt: skip
    begun = time.monotonic()
    tables = import_module(f"scripts.benchmarks.questions.{name}").run(settings)
    facts["seconds"] = round(time.monotonic() - begun, 1)
    path = keep(name, facts, tables, settings.folder)
    print(f"\n## {name}\n\n{machine_line(facts)}\n")
    for table in tables:
        print(table.markdown())
    print(f"{path}: after {facts['seconds']:.0f} s")


def write_page(page: Path, folder: Path) -> None:
    """Put the tables of all questions that were asked between the page's two marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    parts = []
    for name in QUESTIONS:
        found = kept(name, folder)
        if found is not None:
            parts.append(section(name, *found))
    page.write_text(f"{before}{BEGIN}\n\n{''.join(parts)}{END}{after}", encoding="utf-8")


def section(name: str, facts: dict[str, Any], tables: list[Table]) -> str:
    """A question's tables under its heading."""
    text = "\n".join(table.markdown() for table in tables)
    return f"## {HEADINGS[name]}\n\n*{machine_line(facts)}*\n\n{text}\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m scripts.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("questions", nargs="*", metavar="QUESTION", help=", ".join(WORDS))
    parser.add_argument("--runs", type=int, default=5, help="turns (5)")
    parser.add_argument("--seconds", type=float, default=1.5, help="that a turn takes (1.5)")
    parser.add_argument("--threads", type=int, default=1, help="of each process (1)")
    parser.add_argument("--networks", action="append", help="of train and scale; all")
    parser.add_argument("--precision", default="float32", help="of train: float32,bfloat16")
    parser.add_argument(
        "--error_seconds", type=float, default=0.0, help="of train: core seconds to an error (0)"
    )
    parser.add_argument("--alone", action="store_true", help="without other programs and formats")
    parser.add_argument("--small", action="store_true", help="seconds in all, to see that it works")
    parser.add_argument("--work", type=Path, help="where fields are written and removed again")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of results and environments")
    parser.add_argument("--markdown", action="store_true", help="write docs/performance.md")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
