"""How the ranks of a job find rank 0: a file in the run folder, for the eyes of their user alone.

It holds the secret by which the ranks know each other.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from app.arrays import Json
from app.errors import InputError
from app.ranks import Ranks, attempt
from app.running.atomic import read_json
from app.running.owners import ended, owner

FOLDER = ".launch"


class Meeting:
    """The file in which rank 0 says where it listens, one for each start of a job."""

    def __init__(self, folder: Path, ranks: Ranks) -> None:
        name = attempt(ranks.launcher)
        if name is None:
            raise InputError(
                f"{ranks.launcher} started {ranks.size} ranks without naming the job; expected "
                "horovodrun, srun or Open MPI's mpirun"
            )
        self._run_folder = folder
        self._path = folder / FOLDER / f"{name}.json"

    def publish(self, **facts: Any) -> None:
        self._new = not self._run_folder.exists()
        try:
            self._run_folder.mkdir(parents=True, exist_ok=True)
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            self._remove_leftovers()
            self._path.unlink(missing_ok=True)
            descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with open(descriptor, "wb", buffering=0) as file:  # readers see all of it or nothing
                file.write(json.dumps({**facts, "owner": owner()}).encode())
        except OSError as error:
            raise InputError(
                f"--save_path={self._run_folder}: cannot be written ({error})"
            ) from error

    def _remove_leftovers(self) -> None:
        """Remove the files, with their secrets, of jobs that were killed while they met."""
        for path in self._path.parent.glob("*.json"):
            content = read_json(path)
            known = content.get("owner") if isinstance(content, dict) else None
            if content is None or (isinstance(known, dict) and ended(known)):
                path.unlink(missing_ok=True)

    def read(self) -> Json | None:
        return read_json(self._path)

    def remove(self) -> None:
        """Take the file away, and the folders if they are empty: a refused run leaves nothing."""
        with contextlib.suppress(OSError):
            self._path.unlink()
            self._path.parent.rmdir()
            if self._new:
                self._run_folder.rmdir()
