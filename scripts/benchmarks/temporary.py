"""Folders that are removed again, processes that are timed, and TensorFlow in this one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.benchmarks.results import REPOSITORY


@contextmanager
def folder(within: Path | None = None) -> Iterator[Path]:
    """A temporary folder, in the system's place for them or `within` another."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=within) as name:
        yield Path(name)


def environment(threads: int) -> dict[str, str]:
    """That of a process of this program with so many threads, on no GPU."""
    named = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {
        **os.environ,
        **dict.fromkeys(named, str(threads)),
        "PYTHONPATH": str(REPOSITORY),
        "CUDA_VISIBLE_DEVICES": "",
    }


def started(threads: int) -> None:
    """Start TensorFlow in this process as a run does."""
    from app import backend
    from app.options import MachineConfig
    from app.ranks import Ranks

    backend.start(MachineConfig(device="CPU"), Ranks(), threads, seed=0)
