#!/usr/bin/env python3
"""Run by the template tests in the program's place: keeps its contract with the templates.

On SIGTERM, SIGUSR1 or a file STOP it writes the state to status.json and exits with code 3; when
started again it finishes. It logs its arguments and what reached it, a line each.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

INTERRUPTED = 3
POLL_S = 0.1
LIFE_S = 120


def main(argv: list[str]) -> int:
    folder = Path(next(a for a in argv if a.startswith("--save_path=")).partition("=")[2])
    folder.mkdir(parents=True, exist_ok=True)
    requests: list[str] = []
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda number, _: requests.append(signal.Signals(number).name))
    resumed = state(folder) in ("interrupted", "finished")
    log(folder, ("resumed " if resumed else "started ") + " ".join(argv))
    if resumed or "--finish" in argv:
        write_state(folder, "finished")
        return 0
    write_state(folder, "running")
    begun = time.monotonic()
    while not requests and time.monotonic() - begun < LIFE_S:
        if (folder / "STOP").exists():
            requests.append("STOP")
        time.sleep(POLL_S)
    log(folder, requests[0])
    write_state(folder, "interrupted")
    time.sleep(1)  # the other rank has seen STOP, too
    (folder / "STOP").unlink(missing_ok=True)
    return INTERRUPTED


def state(folder: Path) -> str | None:
    path = folder / "status.json"
    return json.loads(path.read_text())["state"] if path.is_file() else None


def write_state(folder: Path, state: str) -> None:
    draft = folder / f".status.{os.getpid()}"
    draft.write_text(json.dumps({"state": state}, indent=2))
    draft.replace(folder / "status.json")


def log(folder: Path, text: str) -> None:
    with (folder / "log").open("a") as out:
        out.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
