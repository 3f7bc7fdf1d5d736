"""Which library joins the ranks of a job: Horovod where it is installed, otherwise MPI."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from app.errors import InputError, one_line
from app.ranks import Ranks

AUTO, HOROVOD, MPI = LIBRARIES = "auto", "horovod", "mpi"
INSTALL = "the extra horovod (uv sync --extra horovod; it needs a C++ compiler)"
# One of these is set where the launcher tells MPI's ranks of each other.
MPI_VARIABLES = ("PMIX_RANK", "PMI_RANK")


def chosen(ranks: Ranks, wanted: str) -> str | None:
    """The library that joins these ranks; None for one process, which needs none.

    `wanted` is the value of --communicator. InputError where the library is not installed, or
    cannot work under the launcher.
    """
    if ranks.size == 1:
        return None
    if wanted == HOROVOD or ranks.launcher == "horovodrun":
        if wanted == MPI:
            raise InputError(
                "--communicator=mpi: received under horovodrun, which starts no MPI; expected "
                "mpirun"
            )
        need_horovod("--communicator=horovod" if wanted == HOROVOD else ranks.launcher)
        return HOROVOD
    if wanted == AUTO and has_horovod():
        return HOROVOD
    mpi_library(f"{ranks.launcher} started {ranks.size} processes")
    if ranks.launcher == "srun" and not any(name in os.environ for name in MPI_VARIABLES):
        raise InputError(
            f"srun started {ranks.size} processes without telling MPI of them; expected "
            f"srun --mpi=pmix, mpirun, or {INSTALL}"
        )
    return MPI


def has_horovod() -> bool:
    """Whether Horovod is installed; does not import it."""
    return find_spec("horovod") is not None


def need_horovod(what: str) -> None:
    """InputError where Horovod, which `what` needs, is not installed."""
    if not has_horovod():
        raise InputError(
            f"{what}: needs Horovod, which is not installed; expected {INSTALL}, or mpirun with "
            "--communicator=auto, which needs none"
        )


def mpi_library(what: str = "several processes") -> Any:
    """The module mpi4py.MPI, with MPI itself not yet started; InputError where it is missing.

    The program ends MPI itself: at the exit of a rank that has failed, MPI would wait for all.
    """
    try:
        settings = import_module("mpi4py").rc
        settings.initialize = settings.finalize = False
        return import_module("mpi4py.MPI")
    except (ImportError, RuntimeError) as error:
        raise InputError(
            f"{what}: neither Horovod nor MPI can join them ({one_line(error)}); expected the "
            f"packages mpi4py and openmpi, or {INSTALL}"
        ) from error
