"""Environments of other programs, made from the package index that pip is set up for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmarks.results import FOLDER
from scripts.benchmarks.serving import Unavailable

DONE = "installed"


@dataclass(frozen=True)
class Environment:
    """Packages of one environment; each entry is what one `pip install` is called with."""

    name: str
    installs: tuple[tuple[str, ...], ...]

    def python(self, folder: Path = FOLDER) -> Path:
        """Its interpreter; the environment is made where it is not there yet.

        Raises Unavailable, with pip's last line, where it cannot be.
        """
        home = folder / "environments" / self.name
        python = home / "bin" / "python"
        if (home / DONE).exists():
            return python
        print(f"making an environment for {self.name} in {home}", file=sys.stderr)
        try:
            _run([sys.executable, "-m", "venv", "--clear", str(home)])
            for arguments in self.installs:
                _run([str(python), "-m", "pip", "install", "--quiet", *arguments])
        except OSError as error:
            raise Unavailable(f"no environment: {error}") from error
        (home / DONE).touch()
        return python


def _run(argv: Sequence[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise Unavailable(f"cannot be installed: {lines[-1] if lines else done.returncode}")


DL4DS = Environment(
    "dl4ds",
    (
        ("dl4ds==1.8.0", "--no-deps"),
        (
            *("tensorflow-cpu==2.15.1", "numpy<2", "scikit-learn<1.6", "scipy", "xarray"),
            *("joblib", "seaborn", "absl-py", "opencv-python-headless", "netCDF4"),
        ),
    ),
)
TORCH = Environment("torch", (("torch==2.13.0", "numpy"),))
