"""Session folders of a killed mpirun go with the next start; those of others stay."""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from app.distributed.open_mpi import remove_dead_sessions


def session(folder: Path, pid: int, host: str) -> Path:
    path = folder / f"ompi.{pid}"
    (path / "0").mkdir(parents=True)
    (path / f"pmix.{host}.tool").touch()
    return path


def ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_only_sessions_of_dead_processes_of_this_host_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    here = socket.gethostname()
    dead = session(tmp_path, ended_pid(), here)
    living = session(tmp_path, os.getpid(), here)
    elsewhere = session(tmp_path, ended_pid(), f"{here}-other")
    (tmp_path / "aside").mkdir()
    link = tmp_path / f"ompi.{ended_pid()}"
    link.symlink_to(tmp_path / "aside")
    remove_dead_sessions()
    assert not dead.exists()
    assert living.is_dir()
    assert elsewhere.is_dir()
    assert link.is_symlink()
