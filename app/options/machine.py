"""What the run may use of the machine."""

from __future__ import annotations

from dataclasses import dataclass

from app.options.bounds import YEAR_S, Bounds
from app.options.option import Options, option, registered
from app.options.readers import time_limit


@dataclass(frozen=True)
class MachineConfig(Options):
    """What the run may use of the machine."""

    device: str | None = option(
        None, "Default: GPU where there is one.", choices=("GPU", "CPU"), free=True, common=True
    )
    precision: str = registered("float32", "Precision of the network.", common=True)
    time_limit: float | None = option(
        None,
        "Time allowed (90min, 3h, 02:00:00): stop before with a checkpoint; default: Slurm's.",
        read=time_limit,
        free=True,
    )
    threads: int | None = option(
        None,
        "Threads of a rank; default: its share of the allocation.",
        bounds=Bounds(1, 4096),
        free=True,
    )
    gpu_memory_growth: bool = option(True, "Take GPU memory as it is needed.", free=True)


@dataclass(frozen=True)
class LaunchConfig(Options):
    """How ranks find each other, and how long they wait."""

    network_interface: str | None = option(None, "Interface between ranks, where several lead out.")
    launch_timeout: int = option(
        300, "Seconds in which all ranks must have started.", bounds=Bounds(1, YEAR_S), unit="s"
    )
    rank_timeout: int = option(
        600,
        "Seconds after which a rank that is silent, or that the others wait for, ends the job.",
        bounds=Bounds(1, YEAR_S),
        unit="s",
    )
    communicator: str = option(
        "auto",
        "What joins ranks; auto: Horovod where it is installed, else MPI.",
        choices=("auto", "horovod", "mpi"),
    )


@dataclass(frozen=True)
class IgnoredOptions(Options):
    """Flags of the original application that are read and have no effect."""

    use_multiprocessing: bool = option(
        True, "Accepted for old flagfiles; batches come from a thread."
    )
    show_plot: bool = option(False, "Accepted for old flagfiles; figures are written as PNG.")
