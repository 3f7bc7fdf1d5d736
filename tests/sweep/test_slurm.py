"""The array script: read by bash, run with a stand-in for the program, given to sbatch."""

import os
import subprocess
from pathlib import Path

import pytest
from sweep_helpers import planned

from app.errors import InputError
from app.sweep import slurm
from app.sweep.members import Member

PROGRAM = """#!/bin/sh
echo "$@"
case "$5" in *000-*) exit 3;; esac
"""


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [([0], "0"), ([0, 1, 2, 5], "0-2,5"), ([7, 3, 4], "3-4,7"), ([2, 4], "2,4")],
)
def test_indices_as_slurm_writes_them(numbers: list[int], expected: str) -> None:
    assert slurm.number_ranges(numbers) == expected


@pytest.fixture
def members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Member]:
    """Two members in a folder with a blank in its name, and a program that fails the first."""
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "bin" / "python"
    program.parent.mkdir()
    program.write_text(PROGRAM, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(program))
    return [one.member for one in planned(tmp_path / "my sweep", "epochs=3,4")]


def test_script_is_sound_and_its_tasks_leave_their_outcomes(
    members: list[Member], tmp_path: Path
) -> None:
    text = slurm.array_script(members, members, ("train", "test"), jobs=2)
    script = tmp_path / "array.sh"
    script.write_text(text, encoding="utf-8")
    subprocess.run(["bash", "-n", script], check=True)
    assert "#SBATCH --array=0-1%2\n" in text
    assert "python=./bin/python\n" in text
    codes = [
        subprocess.run(
            ["bash", script], env={**os.environ, "SLURM_ARRAY_TASK_ID": str(task)}, cwd="/"
        ).returncode
        for task in (0, 1)
    ]
    assert codes == [3, 0]
    assert [member.state() for member in members] == ["failed", "finished"]
    assert members[1].last_line() == f"-m app train test --flagfile={members[1].flagfile}"


def test_only_unfinished_members_are_tasks(members: list[Member]) -> None:
    text = slurm.array_script(members, members[1:], ("train",), jobs=1)
    assert "#SBATCH --array=1\n" in text


def sbatch(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    path = folder / "bin" / "sbatch"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")


def test_sbatch_gets_options_and_script(
    members: list[Member], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sbatch(tmp_path, monkeypatch, 'echo "$#: $*"')
    folder = members[0].folder.parent
    answer = slurm.submit("echo", folder, "--partition='a b' --time=1:00")
    assert answer == f"3: --partition=a b --time=1:00 {folder}/array.sbatch"


def test_refusals_of_sbatch_are_one_line(
    members: list[Member], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = members[0].folder.parent
    sbatch(tmp_path, monkeypatch, "echo invalid partition >&2; exit 1")
    with pytest.raises(InputError, match=r"sbatch refused .*: invalid partition"):
        slurm.submit("echo", folder, "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="no sbatch on this machine"):
        slurm.submit("echo", folder, "")
