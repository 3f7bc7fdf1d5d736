"""Stage `status`: where runs stand, one line each."""

from __future__ import annotations

import os
from pathlib import Path

from app.arrays import Json
from app.durations import clock
from app.errors import InputError, one_line
from app.running.locks import stale
from app.running.run_folder import LOCK
from app.running.status import FILE, RUNNING, read_status, seconds_since
from app.session import Session


def run(session: Session) -> None:
    """Print a line for each run: those named, and those below a folder that is none itself.

    InputError where there is none.
    """
    if not session.ranks.first:
        return
    named = session.experiment.status_of
    runs = [run for folder in named for run in runs_below(folder) or [folder]]
    found = {path: read_status(path) for path in dict.fromkeys(runs)}
    if not any(found.values()):
        raise InputError(
            f"status: no {FILE} in or below {', '.join(map(str, named))}; expected run folders, or "
            "a folder of them"
        )
    width = max(len(str(path)) for path in found)
    for path, facts in found.items():
        print(f"{path!s:<{width}}  {_line_on(facts, path)}")


def runs_below(folder: Path) -> list[Path]:
    """The folder itself if it is that of a run, else the run folders below it by name.

    What lies in a run folder, links and hidden folders are not looked into.
    """
    runs: list[Path] = []
    for place, folders, files in os.walk(folder):
        if FILE in files:
            runs.append(Path(place))
            folders.clear()
        folders[:] = sorted(name for name in folders if not name.startswith("."))
    return runs


def _line_on(facts: Json | None, folder: Path) -> str:
    if facts is None:
        return f"no {FILE}"
    try:
        return status_line(facts, folder)
    except (KeyError, TypeError, ValueError) as error:
        return f"{FILE} is damaged, or of another program ({one_line(error)})"


def status_line(facts: Json, folder: Path) -> str:
    """What a status says, without what it leaves open."""
    state = facts.get("state", "?")
    running = state == RUNNING
    lock = folder / LOCK
    if running and (not lock.exists() or stale(lock)):
        state, running = f"dead, last seen {clock(seconds_since(facts['updated']))} ago", False
    parts = [f"{facts.get('stage', '?')} {state}"]
    if "epoch" in facts:
        parts += _progress(facts, running)
    parts.append(f"{facts.get('memory_mib', 0)} MiB")
    if "last_checkpoint" in facts:
        age = clock(seconds_since(facts["checkpoint_time"]))
        parts.append(f"checkpoint {facts['last_checkpoint']} {age} ago")
    parts.append(f"job {facts['job']} on {facts['host']}" if facts.get("job") else facts["host"])
    parts += [str(facts[name]) for name in ("reason", "error") if facts.get(name)]
    return "  ".join(parts)


def _progress(facts: Json, running: bool) -> list[str]:
    parts = [f"epoch {facts['epoch']}/{facts['epochs']} step {facts['step']}"]
    parts.append(f"{facts['samples_per_s']:.0f} samples/s")
    parts.append(f"loss {facts['loss']:.5f}")
    if facts.get("val_loss") is not None:
        parts.append(f"val_loss {facts['val_loss']:.5f}")
    if running and facts.get("eta_s") is not None:
        parts.append(f"{clock(facts['eta_s'])} to go")
    return parts
