"""Lines of the log: with their times in a file, without on a terminal."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

PROGRAM = [
    sys.executable,
    "-c",
    "import sys; from app.main import main; sys.exit(main(sys.argv[1:]))",
]


def sweep(folder: Path) -> list[str]:
    """A command that logs a line and does little else."""
    return [
        "sweep",
        "--data=synthetic",
        "--variable=t2m",
        "--sweep=seed=1",
        f"--save_path={folder}",
    ]


def test_lines_in_a_file_begin_with_their_times(tmp_path: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, *sweep(tmp_path), "--submit"],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": "", "TZ": "UTC"},
    )
    first, last = done.stderr.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d sweep of 1 members in .*", first)
    assert last.startswith("finescale: --submit: no sbatch")


def test_lines_on_a_terminal_do_not(tmp_path: Path) -> None:
    reader, terminal = pty.openpty()
    with open(reader, "rb", buffering=0) as shown:
        subprocess.run(
            [*PROGRAM, *sweep(tmp_path), "--submit"],
            stderr=terminal,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PATH": ""},
        )
        assert shown.read(4096).decode().startswith("sweep of 1 members in ")
    os.close(terminal)
