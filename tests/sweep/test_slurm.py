"""The array script: read by bash, run with a stand-in for the program, given to sbatch."""

import os
import subprocess
from pathlib import Path

import pytest
from sweep_helpers import planned

from app.errors import InputError
from app.sweep import slurm
from app.sweep.members import SweepRun

PROGRAM = """#!/bin/sh
echo "$@"
case "$5" in *000-*) exit 1;; *002-*) exit 3;; esac
"""
SRUN = """#!/bin/sh
test "$1 $2" = "--kill-on-bad-exit=1 --cpus-per-task=4" || exit 99
shift 2
exec "$@"
"""
SCONTROL = """#!/bin/sh
echo "$@" >scontrol.txt
"""


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [([0], "0"), ([0, 1, 2, 5], "0-2,5"), ([7, 3, 4], "3-4,7"), ([2, 4], "2,4")],
)
def test_indices_as_slurm_writes_them(numbers: list[int], expected: str) -> None:
    assert slurm.number_ranges(numbers) == expected


@pytest.fixture
def members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[SweepRun]:
    """Three members in a folder with a blank in its name; the first fails, the last is stopped."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bin").mkdir()
    for name, text in (("python", PROGRAM), ("srun", SRUN), ("scontrol", SCONTROL)):
        stand_in(tmp_path, name, text)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setattr("sys.executable", str(tmp_path / "bin" / "python"))
    return [one.member for one in planned(tmp_path / "my sweep", "epochs=3,4,5")]


def stand_in(folder: Path, name: str, text: str) -> None:
    path = folder / "bin" / name
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def test_script_is_sound_and_its_tasks_leave_their_outcomes(
    members: list[SweepRun], tmp_path: Path
) -> None:
    text = slurm.array_script(members, members, ("train", "test"), jobs=2)
    script = tmp_path / "array.sh"
    script.write_text(text, encoding="utf-8")
    subprocess.run(["bash", "-n", script], check=True)
    assert "#SBATCH --array=0-2%2\n" in text
    assert "python=./bin/python\n" in text
    codes = []
    for task in range(3):
        slurm_says = {"SLURM_ARRAY_TASK_ID": task, "SLURM_JOB_ID": 70 + task}
        given = {name: str(value) for name, value in slurm_says.items()}
        environment = {**os.environ, **given, "SLURM_CPUS_PER_TASK": "4"}
        codes.append(subprocess.run(["bash", script], env=environment, cwd="/").returncode)
    assert codes == [1, 0, 0]
    assert [member.state() for member in members] == ["failed", "finished", "unfinished"]
    assert (tmp_path / "scontrol.txt").read_text(encoding="utf-8") == "requeue 72\n"
    assert members[1].last_line() == f"-m app train test --flagfile={members[1].flagfile}"


def test_only_unfinished_members_are_tasks(members: list[SweepRun]) -> None:
    text = slurm.array_script(members, members[1:], ("train",), jobs=1)
    assert "#SBATCH --array=1-2\n" in text


def test_options_stand_in_the_script_alone(members: list[SweepRun], tmp_path: Path) -> None:
    """So that the script, submitted again by hand, asks for the same."""
    stand_in(tmp_path, "sbatch", '#!/bin/sh\necho "$#: $*"\n')
    folder = members[0].folder.parent
    options = "--partition='a b' --time=1:00 --signal=USR1@60"
    text = slurm.array_script(members, members, ("train",), jobs=1, options=options)
    lines = [line for line in text.splitlines() if line.startswith("#SBATCH")]
    assert "#SBATCH --partition='a b'" in lines
    assert "#SBATCH --time=1:00" in lines
    assert [line for line in lines if "signal" in line] == ["#SBATCH --signal=USR1@60"]
    assert slurm.submit(text, folder) == f"1: {folder}/array.sbatch"
    assert (folder / "array.sbatch").read_text() == text


def test_refusals_of_sbatch_are_one_line(
    members: list[SweepRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = members[0].folder.parent
    stand_in(tmp_path, "sbatch", "#!/bin/sh\necho invalid partition >&2\nexit 1\n")
    with pytest.raises(InputError, match=r"sbatch refused .*: invalid partition"):
        slurm.submit("echo", folder)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="no sbatch on this machine"):
        slurm.submit("echo", folder)
