"""Tables of measurements: kept as JSON with machine and versions, printed, and as Markdown."""

from __future__ import annotations

import json
import math
import os
import platform
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "build" / "benchmarks"  # that git ignores
PACKAGES = ("finescale", "tensorflow", "keras", "numpy", "xarray", "netCDF4", "horovod", "mpi4py")
BUSY = 0.3  # load before the start from which numbers are those of a busy machine


@dataclass(frozen=True)
class Table:
    """One question's answer.

    rows: column → number, list of numbers (the runs), or text; missing columns are empty. notes:
    what was measured, how, and what could not be.
    """

    name: str
    title: str
    rows: list[dict[str, Any]]
    notes: list[str] = field(default_factory=list)

    @property
    def columns(self) -> list[str]:
        """All columns in the order in which rows first name them."""
        return list(dict.fromkeys(name for row in self.rows for name in row))

    def markdown(self) -> str:
        """The table under its title, with its notes."""
        head = [f"| {' | '.join(self.columns)} |", f"|{'---|' * len(self.columns)}"]
        body = [
            f"| {' | '.join(text_of(row.get(name, '')) for name in self.columns)} |"
            for row in self.rows
        ]
        about = [line for note in self.notes for line in (note, "")]
        return "\n".join([f"### {self.title}", "", *about, *head, *body, ""])


def text_of(value: Any) -> str:
    """A cell: a number with three digits, or the median of several with their range."""
    if isinstance(value, list):
        finite = sorted(v for v in value if math.isfinite(v))
        if not finite:
            return "–"
        middle = text_of(finite[len(finite) // 2] if len(finite) % 2 else _middle(finite))
        if len(finite) == 1:
            return middle
        return f"{middle} ({text_of(finite[0])} to {text_of(finite[-1])})"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        digits = 2 - math.floor(math.log10(abs(value))) if value and math.isfinite(value) else 0
        return f"{value:,.{max(digits, 0)}f}"
    return str(value)


def _middle(ordered: list[float]) -> float:
    return (ordered[len(ordered) // 2 - 1] + ordered[len(ordered) // 2]) / 2


def machine() -> dict[str, Any]:
    """Processor, cores and load of this machine, and versions of what is measured."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "load_at_start": os.getloadavg()[0],
        "started": time.strftime("%Y-%m-%d %H:%M"),
        "python": platform.python_version(),
        "versions": versions(PACKAGES),
    }


def versions(names: Iterable[str]) -> dict[str, str]:
    """Versions of the installed ones among some packages."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def keep(question: str, facts: dict[str, Any], tables: list[Table], folder: Path) -> Path:
    """Write a question's answer where `markdown` finds it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{question}.json"
    content = {**facts, "question": question, "tables": [asdict(table) for table in tables]}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    return path


def kept(question: str, folder: Path) -> tuple[dict[str, Any], list[Table]] | None:
    """What `keep` has written; None where the question was not asked yet."""
    path = folder / f"{question}.json"
    if not path.is_file():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    return content, [Table(**table) for table in content.pop("tables")]


def machine_line(facts: dict[str, Any]) -> str:
    """The machine in one sentence."""
    named = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"{facts['processor']}, {facts['cores']} cores, {facts['memory_gib']} GiB, "
        f"{facts['threads']} thread(s), load {facts['load_at_start']:.2f} at the start, "
        f"{facts['started']}; Python {facts['python']}, {named}."
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
