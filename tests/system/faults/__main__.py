"""Two hundred kills and what became of the runs: see --help."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.system import warm
from tests.system.conftest import REPOSITORY, environment
from tests.system.faults.kills import LAUNCHERS, draw
from tests.system.faults.laboratory import Laboratory
from tests.system.faults.outcome import HEADER, Outcome, table


def main() -> int:
    """Kill, compare, print; 0 where every run ended as if nothing had happened."""
    given = _arguments()
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    results = folder / f"kills-{given.seed}.jsonl"
    known = {one.kill.number: one for one in _read(results)}
    numbers = given.only or range(given.kills)
    todo = [number for number in numbers if given.only or number not in known]
    end = time.monotonic() + given.minutes * 60
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and so ends the Slurm and the server
    signal.signal(signal.SIGINT, signal.default_int_handler)  # not ignored, as behind `command &`
    with ExitStack() as stack:
        laboratory = Laboratory(folder)
        if "srun" in given.launchers and todo:
            laboratory.variables = stack.enter_context(_slurm(folder / "slurm"))
        if given.warm and todo:
            laboratory.program = stack.enter_context(
                warm.server(folder / "warm.socket", environment())
            )
        print(HEADER, flush=True)
        for number in todo:
            if time.monotonic() > end:
                break
            outcome = laboratory.outcome(draw(given.seed, number, given.launchers))
            known[number] = outcome
            with results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(outcome.to_dict()) + "\n")
            print(outcome.line(), flush=True)
    outcomes = [known[number] for number in sorted(known)]
    print(table(outcomes))
    return 0 if outcomes and all(one.good for one in outcomes) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.system.faults",
        description="Kill runs at random, give the same command again, and compare the end bit "
        "for bit with an undisturbed run's. Goes on where it was stopped. Exit code 1 if a run "
        "was lost, hung, or left files.",
    )
    parser.add_argument("folder", type=Path, help="for runs, logs and results; with a short path")
    parser.add_argument("--kills", type=int, default=200, help="how many (default: 200)")
    parser.add_argument("--seed", type=int, default=7, help="of what is drawn (default: 7)")
    parser.add_argument("--only", type=_numbers, help="these kills alone, such as 3,17; done anew")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many")
    parser.add_argument(
        "--launchers",
        type=lambda text: text.split(","),
        default=list(LAUNCHERS),
        help=f"of {','.join(LAUNCHERS)} (default: all; srun needs root, to set up a Slurm)",
    )
    parser.add_argument(
        "--warm",
        action="store_true",
        help="fork the program's processes from one that has imported TensorFlow: a third of the "
        "time",
    )
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _read(results: Path) -> list[Outcome]:
    if not results.is_file():
        return []
    lines = results.read_text(encoding="utf-8").splitlines()
    return [Outcome.from_dict(json.loads(line)) for line in lines]


@contextmanager
def _slurm(folder: Path) -> Iterator[dict[str, str]]:
    """A Slurm of two nodes on this machine."""
    script = str(REPOSITORY / "scripts" / "local_slurm.sh")
    subprocess.run([script, "start", str(folder)], check=True, stdout=subprocess.DEVNULL)
    try:
        yield {"SLURM_CONF": str(folder / "slurm.conf")}
    finally:
        subprocess.run([script, "stop", str(folder)], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
