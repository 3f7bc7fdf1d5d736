"""What rank 0 publishes, and what killed jobs have left of it."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.distributed.meeting import FOLDER, Meeting
from app.ranks import Ranks
from app.running.owners import owner


@pytest.fixture
def meeting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Meeting:
    for name, value in {"SLURM_JOB_ID": "42", "SLURM_STEP_ID": "0"}.items():
        monkeypatch.setenv(name, value)
    return Meeting(tmp_path, Ranks(0, 2, 0, 2, "srun"))


def left_by(pid: int, path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"secret": "x", "owner": {**owner(), "pid": pid, "born": None}}))
    return path


def test_files_of_dead_jobs_are_removed_and_those_of_living_ones_stay(
    meeting: Meeting, tmp_path: Path
) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    dead = left_by(process.pid, tmp_path / FOLDER / "srun-41-0-0.json")
    empty = tmp_path / FOLDER / "srun-39-0-0.json"
    empty.touch()
    living = left_by(os.getppid(), tmp_path / FOLDER / "srun-40-0-0.json")
    meeting.publish(port=1)
    assert not dead.exists()
    assert not empty.exists()
    assert living.exists()
    found = meeting.read()
    assert found is not None
    assert found["port"] == 1
    assert stat.S_IMODE((tmp_path / FOLDER / "srun-42-0-0.json").stat().st_mode) == 0o600
    meeting.remove()
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [living.name]
