"""What Open MPI leaves of a killed launch is removed by the next, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

from app.distributed.session_folders import FOLDER, MARK, mark_and_tidy


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_folders_of_killed_launches_of_this_program_are_removed(tmp_path: Path) -> None:
    own, stale = tmp_path / f"ompi.{os.getpid()}", tmp_path / f"ompi.{dead_process()}"
    unmarked, other = tmp_path / f"ompi.{dead_process()}0000", tmp_path / "ompi.x"
    elsewhere = tmp_path / "elsewhere"
    for folder in (own, stale / "1" / "0", unmarked, other, elsewhere):
        folder.mkdir(parents=True)
    for folder in (stale, other, elsewhere):
        (folder / MARK).touch()
    link = tmp_path / "ompi.999999999"
    link.symlink_to(elsewhere)
    mark_and_tidy({FOLDER: str(own)})
    assert sorted(tmp_path.iterdir()) == sorted([own, unmarked, other, elsewhere, link])
    assert (own / MARK).stat().st_mode & 0o777 == 0o600
    assert (elsewhere / MARK).exists()


def test_without_open_mpi_nothing_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / MARK).touch()
    mark_and_tidy({})
    mark_and_tidy({FOLDER: str(tmp_path)})
    assert [path.name for path in tmp_path.iterdir()] == [MARK]
