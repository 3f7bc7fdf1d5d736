"""How ranks are connected, by the library that suits them, and what its failures mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.distributed import horovod, mpi
from app.distributed.communicator import Communicator
from app.distributed.libraries import HOROVOD
from app.distributed.team import Team
from app.errors import Regroup, RunError, one_line
from app.options import LaunchConfig
from app.ranks import Ranks

if TYPE_CHECKING:
    from app.distributed.watch import Watch


def connect(ranks: Ranks, team: Team, launch: LaunchConfig, library: str | None) -> Communicator:
    """The communicator for these ranks, through the library that `libraries.chosen` names."""
    if library is None:
        return Communicator(ranks)
    if library == HOROVOD:
        return horovod.join(ranks, team, launch)
    return mpi.join(ranks, launch)


@contextmanager
def communication_errors(watch: Watch | None, elastic: bool = False) -> Iterator[None]:
    """Turn Horovod's and MPI's failures into a RunError that names the rank behind, if known.

    In an elastic job they are what tells that a rank has gone: Regroup.
    """
    try:
        yield
    except Exception as error:
        if not (horovod.is_horovods(error) or mpi.is_mpis(error)):
            raise
        if elastic:
            raise Regroup(one_line(error)) from error
        reason = watch.verdict() if watch else None
        raise RunError(reason or f"the ranks have lost each other ({one_line(error)})") from error
