"""Open MPI's temporary folders: those of launches of this program that were killed are removed.

mpirun makes a private folder (mode 0700) named after its process, and removes it when it ends; a
killed one cannot. Each launch of this program marks its folder, and looks for marked ones whose
mpirun is gone. Horovod's launcher leaves no files.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

FOLDER = "PMIX_SERVER_TMPDIR"  # as Open MPI tells each rank
NAME = re.compile(r"ompi\.(\d+)")
MARK = "finescale"


def mark_and_tidy(variables: Mapping[str, str] = os.environ) -> None:
    """Mark this launch's folder, and remove marked ones on this host whose mpirun has ended."""
    own = Path(variables.get(FOLDER, ""))
    if not NAME.fullmatch(own.name):
        return
    with contextlib.suppress(OSError):
        (own / MARK).touch(mode=0o600)
        for entry in os.scandir(own.parent):
            if _is_stale(entry):
                shutil.rmtree(entry.path, ignore_errors=True)


def _is_stale(entry: os.DirEntry[str]) -> bool:
    """Whether this is a folder of this user, marked by this program, of a process that is gone."""
    name = NAME.fullmatch(entry.name)
    if name is None or not entry.is_dir(follow_symlinks=False):
        return False
    ours = entry.stat(follow_symlinks=False).st_uid == os.getuid()
    marked = os.path.lexists(os.path.join(entry.path, MARK)) if ours else False
    return marked and not os.path.exists(f"/proc/{name[1]}")
