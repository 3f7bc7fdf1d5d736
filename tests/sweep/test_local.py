"""Members run here: outcomes, threads and how many at a time; a shell stands for the program."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from sweep_helpers import planned

from app.errors import Interrupted
from app.sweep import local
from app.sweep.members import SweepRun

STAGES = ("train",)


def stand_in(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    def program(member: SweepRun, stages: object) -> list[str]:
        return ["sh", "-c", script.replace("NUMBER", str(member.number)), "sh"]

    monkeypatch.setattr(local, "program", program)


def test_a_failed_member_stops_no_other_and_outcomes_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [one.member for one in planned(tmp_path, "epochs=3,4,5")]
    stand_in(monkeypatch, "echo threads $1; echo bad luck >&2; test NUMBER != 1")
    failed = local.run_members(members, STAGES, jobs=1, threads=3)
    assert failed == [members[1]]
    assert [member.state() for member in members] == ["finished", "failed", "finished"]
    assert members[1].log.read_text(encoding="utf-8") == "threads --threads=3\nbad luck\n"
    assert members[1].exit_code.read_text(encoding="utf-8") == "1\n"


def test_cores_are_divided_among_those_that_run_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = [one.member for one in planned(tmp_path, "epochs=3,4")]
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(9)))
    both = f"test -e {tmp_path}/0 -a -e {tmp_path}/1"
    script = f"echo $1; touch {tmp_path}/NUMBER; for i in $(seq 100); do {both} && exit; sleep .1"
    stand_in(monkeypatch, f"{script}; done; exit 1")  # fails where it has not met the other
    assert not local.run_members(members, STAGES, jobs=2, threads=None)
    assert members[0].last_line() == "--threads=4"


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGUSR1], ids=["TERM", "USR1"])
def test_told_to_stop_it_stops_the_running_and_starts_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sign: signal.Signals
) -> None:
    members = [one.member for one in planned(tmp_path, "epochs=3,4")]
    stand_in(
        monkeypatch, "trap 'echo checkpoint; exit 9' TERM; echo on; while :; do sleep .1; done"
    )

    def stop() -> None:
        while members[0].last_line() != "on":
            time.sleep(0.05)
        os.kill(os.getpid(), sign)

    threading.Thread(target=stop).start()
    with pytest.raises(Interrupted, match=sign.name):
        local.run_members(members, STAGES, jobs=1, threads=1)
    assert members[0].last_line() == "checkpoint"
    assert [member.state() for member in members] == ["unfinished", "waiting"]
