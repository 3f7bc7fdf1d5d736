"""Runs that nobody disturbs, and the runs that are killed and go on, compared with them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from app.running.status import FINISHED
from tests.system.conftest import environment, fields
from tests.system.faults import comparison, processes
from tests.system.faults.kills import STOP, Kill
from tests.system.faults.outcome import Outcome
from tests.system.faults.phases import FLAGS, KINDS, PHASES, STAGES, status
from tests.system.launching import HOROVODRUN, MPIRUN, SRUN_ON_TWO_NODES

PREFIXES = {
    "none": [],
    "horovodrun": HOROVODRUN,
    "mpirun": MPIRUN,
    "srun": SRUN_ON_TWO_NODES,
}
DATA = "waves.nc"
LIMIT_S = 240.0  # what takes longer counts as hung
POLL_S = 0.0005


@dataclass
class Laboratory:
    """A folder with data, undisturbed runs, made when they are first needed, and killed ones.

    program: what runs the program in place of `python -m app`. variables: for its environment.
    """

    folder: Path
    program: Sequence[str] = (sys.executable, "-m", "app")
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)

    def outcome(self, kill: Kill) -> Outcome:
        """Kill one run, give its command again, and compare; it is removed where all is well."""
        phase = PHASES[kill.phase]
        stages = STAGES if kill.whole else phase.stages
        before = () if kill.whole else phase.before
        seconds = self._seconds(kill.launcher, kill.phase)
        whole = self._undisturbed(kill.launcher, phase.kind, before, stages)
        case = self._case(f"kill-{kill.number:03d}", kill.launcher, phase.kind, before)
        argv = self._command(kill.launcher, phase.kind, stages)
        begun = time.monotonic()
        code, hit = self._killed(argv, case, kill, seconds)
        state = str(status(case / "run").get("state", "none"))
        again = self._run(argv, case) if code is not None else None
        result = Outcome(
            kill,
            code,
            state,
            again,
            comparison.different(case, whole),
            comparison.left(case, whole),
            round(time.monotonic() - begun, 1),
            hit,
        )
        if result.good:
            shutil.rmtree(case)
        return result

    def _seconds(self, launcher: str, name: str) -> float:
        """From the moment that a phase is reached to the last one for a kill in it."""
        phase = PHASES[name]
        done = self._undisturbed(launcher, phase.kind, phase.before, phase.stages)
        measured = json.loads(done.with_suffix(".json").read_text(encoding="utf-8"))[name]
        return measured if phase.spread_s is None else min(measured, phase.spread_s)

    def _undisturbed(
        self, launcher: str, kind: str, before: tuple[str, ...], stages: tuple[str, ...]
    ) -> Path:
        """The folder of a run of these stages after those; beside it, how long phases took."""
        done = self.folder / launcher / "-".join([kind, *before, "then", *stages])
        if not done.with_suffix(".json").is_file():
            case = self._case("new", launcher, kind, before)
            argv = self._command(launcher, kind, stages)
            names = [name for name, phase in PHASES.items() if phase.kind == kind]
            reached: dict[str, float] = {}
            end = None
            with self._started(argv, case) as process:
                while process.poll() is None:
                    for name in names:
                        if name not in reached and PHASES[name].reached(case / "run", 0.0):
                            reached[name] = time.monotonic()
                    if end is None and status(case / "run").get("state") == FINISHED:
                        end = time.monotonic()
                    time.sleep(POLL_S)
            assert process.returncode == 0, f"{argv} failed; see {self._log(case)}"
            assert processes.all_ended(case / "tmp", LIMIT_S), "processes are left"
            end = end or time.monotonic()
            shutil.rmtree(done, ignore_errors=True)
            case.rename(done)
            measured = {name: max(0.0, end - begun) for name, begun in reached.items()}
            done.with_suffix(".json").write_text(json.dumps(measured), encoding="utf-8")
        return done

    def _case(self, name: str, launcher: str, kind: str, before: tuple[str, ...]) -> Path:
        """A folder in the state that the stages before have left."""
        case = self.folder / launcher / name
        data = case.parent / DATA
        if not data.is_file():
            data.parent.mkdir(parents=True, exist_ok=True)
            fields(n=60, y=8, x=12).to_netcdf(data)
        source = self._undisturbed(launcher, kind, before[:-1], before[-1:]) if before else None
        shutil.rmtree(case, ignore_errors=True)
        if source is not None:
            shutil.copytree(source, case)
        (case / "tmp").mkdir(parents=True, exist_ok=True)
        return case

    def _command(self, launcher: str, kind: str, stages: Sequence[str]) -> list[str]:
        data = self.folder / launcher / DATA
        flags = [f"--data={data}", f"--static={data}:orography", *FLAGS, *KINDS[kind]]
        return [*PREFIXES[launcher], *self.program, *stages, *flags]

    def _killed(
        self, argv: list[str], case: Path, kill: Kill, seconds: float
    ) -> tuple[int | None, bool]:
        """Exit code of a command that was killed, and whether it was still running then."""
        phase = PHASES[kill.phase]
        with self._started(argv, case) as process:
            _wait_for(phase.reached, case / "run", kill.chance, process)
            time.sleep(kill.chance * seconds)
            hit = process.poll() is None and self._signal(process, case, kill)
            code = _end(process)
        whole = processes.all_ended(case / "tmp", LIMIT_S)
        return code if whole else None, hit

    def _signal(self, process: subprocess.Popen[bytes], case: Path, kill: Kill) -> bool:
        temporary = case / "tmp"
        if kill.signal == STOP:
            (case / "run" / STOP).touch()
            return True
        if kill.target == "launcher" or (kill.launcher == "none" and kill.phase != "sweep"):
            target: int | None = processes.behind(process.pid)
        elif kill.phase == "sweep":
            target = processes.of_member(temporary)
        else:
            target = processes.of_rank(temporary, kill.launcher, int(kill.target.split()[1]))
            # Of a stage that one rank does alone the others may have ended.
            target = target or processes.of_rank(temporary, kill.launcher, 0)
        if target is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(target, getattr(signal, kill.signal))
            return True
        return False

    def _run(self, argv: list[str], case: Path) -> int | None:
        with self._started(argv, case) as process:
            code = _end(process)
        return code if processes.all_ended(case / "tmp", LIMIT_S) else None

    @contextmanager
    def _started(self, argv: list[str], case: Path) -> Iterator[subprocess.Popen[bytes]]:
        variables = environment(TMPDIR=str(case / "tmp"), **self.variables)
        with open(self._log(case), "ab") as log:
            process = subprocess.Popen(argv, cwd=case, env=variables, stdout=log, stderr=log)
        try:
            yield process
        except BaseException:
            processes.all_ended(case / "tmp", 0.0)
            raise

    def _log(self, case: Path) -> Path:
        return self.folder / "logs" / f"{case.parent.name}-{case.name}.txt"


def _wait_for(
    reached: Callable[[Path, float], bool],
    run: Path,
    chance: float,
    process: subprocess.Popen[bytes],
) -> None:
    end = time.monotonic() + LIMIT_S
    while process.poll() is None and time.monotonic() < end and not reached(run, chance):
        time.sleep(POLL_S)


def _end(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(LIMIT_S)
    except subprocess.TimeoutExpired:
        return None
