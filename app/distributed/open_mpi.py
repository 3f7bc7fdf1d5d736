"""What Open MPI's mpirun leaves in the temporary folder where it is killed."""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

SESSION = re.compile(r"ompi\.(\d+)")


def remove_dead_sessions() -> None:
    """Remove session folders of this user's mpirun processes on this host that have ended.

    mpirun removes its own, unless it is killed by SIGKILL. A folder names its host: processes
    elsewhere, which may share the temporary folder, are not to be judged from here.
    """
    for folder in Path(tempfile.gettempdir()).glob("ompi.*"):
        match = SESSION.fullmatch(folder.name)
        if match and _ours(folder) and _of_this_host(folder) and _ended(int(match[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _ours(folder: Path) -> bool:
    with suppress(OSError):
        return not folder.is_symlink() and folder.stat().st_uid == os.getuid()
    return False


def _of_this_host(folder: Path) -> bool:
    return any(folder.glob(f"pmix.{socket.gethostname()}.tool*"))


def _ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
