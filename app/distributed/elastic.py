"""Elastic jobs: `horovodrun --min-np … --host-discovery-script …`, whose ranks come and go.

Horovod's driver starts and forgets processes; what they go on from is the newest checkpoint, which
every rank keeps in Horovod's ObjectState and newcomers get from the first rank. Horovod's own state
for Keras does not know Keras 3, and its own wrapper takes the failure of a grouped reduction for
the end of the training: all of Horovod's failures become its HorovodInternalError here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from app.arrays import Tensor
from app.distributed.horovod import HorovodCommunicator, is_horovods
from app.distributed.libraries import need_horovod
from app.distributed.team import Team
from app.errors import InputError, Regroup
from app.options import Experiment
from app.ranks import Ranks

STAGES = {"prepare", "train"}  # the others have no state to go on from


def check(experiment: Experiment) -> None:
    """InputError where an elastic job cannot do what is asked for."""
    if experiment.launch.communicator == "mpi":
        raise InputError("--communicator=mpi: received in an elastic job; expected horovod or auto")
    need_horovod("an elastic job")
    beyond = sorted(set(experiment.stages) - STAGES)
    if beyond:
        raise InputError(
            f"stage {beyond[0]}: received an elastic horovodrun; expected train there, and the "
            "other stages in a call of their own"
        )
    if experiment.overwrite:
        raise InputError(
            "--overwrite: received in an elastic job, where every newcomer would start anew; "
            "expected a fresh --save_path"
        )


def threads(ranks: Ranks) -> int:
    """A rank's share of its node's CPUs, where all ranks of a node have the same."""
    return max(1, len(os.sched_getaffinity(0)) // ranks.local_size)


def run(attempt: Callable[[ElasticCommunicator], None], rank_timeout: int) -> None:
    """Call `attempt` with the ranks there are, and again whenever they have changed."""
    os.environ.setdefault("HOROVOD_STALL_SHUTDOWN_TIME_SECONDS", str(rank_timeout))
    hvd = import_module("horovod.tensorflow")
    hvd.init()

    def once(state: Any) -> None:
        ranks = Ranks(
            hvd.rank(), hvd.size(), hvd.local_rank(), hvd.local_size(), "horovodrun", elastic=True
        )
        with internal_errors():
            try:
                attempt(ElasticCommunicator(ranks, hvd, state))
            except Regroup as change:  # Horovod's loop knows what caused it
                raise (change.__cause__ or change) from change

    def meet_again() -> None:
        hvd.shutdown()
        hvd.init()

    import_module("horovod.common.elastic").run_fn(once, meet_again)(committed_state(hvd))


def committed_state(hvd: Any) -> Any:
    """Horovod's state of the `checkpoint` that all ranks go on from and the `run` that it is of.

    Its `news`, an event, is set on the first rank while hosts are about to come or go.
    """
    from horovod.common.elastic import ObjectState

    def broadcast(value: Any) -> Any:
        with internal_errors():
            return hvd.broadcast_object(value)

    state = ObjectState(broadcast, hvd.rank, run=None, checkpoint=None)
    state.news = threading.Event()
    take = state.on_hosts_updated

    def on_hosts_updated(timestamp: int, update: int) -> None:
        take(timestamp, update)
        state.news.set()

    state.on_hosts_updated = on_hosts_updated
    state.register_reset_callbacks([state.news.clear])
    return state


class ElasticCommunicator(HorovodCommunicator):
    """The ranks of an elastic job as they are now."""

    def __init__(self, ranks: Ranks, hvd: Any, state: Any) -> None:
        """`state`: of `committed_state`."""
        super().__init__(ranks, hvd)
        self._state = state

    @property
    def team(self) -> Team:
        """Where the ranks are."""
        return Team(
            nodes=self._hvd.cross_size(),
            local_size=self.ranks.local_size,
            cross_rank=self._hvd.cross_rank(),
            cross_size=self._hvd.cross_size(),
            cpus=threads(self.ranks),
        )

    def sum(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Under names that do not depend on how many networks a process has built before."""
        import tensorflow as tf

        return super().sum([tf.identity(part, f"part_{i}") for i, part in enumerate(tensors)])

    @property
    def regrouping(self) -> bool:
        result: bool = self._state.news.is_set()
        return result

    def commit(self, run: str, checkpoint: Any) -> None:
        from horovod.common.exceptions import HostsUpdatedInterrupt

        self._state.run, self._state.checkpoint = run, checkpoint
        try:
            self._state.commit()
        except HostsUpdatedInterrupt as change:
            raise Regroup("hosts have been added or removed") from change

    def committed(self, run: str) -> Any:
        return self._state.checkpoint if self._state.run == run else None


@contextmanager
def internal_errors() -> Iterator[None]:
    """Every failure of Horovod's, in the one form that its elastic loop knows."""
    from horovod.common.exceptions import HorovodInternalError

    try:
        yield
    except HorovodInternalError:
        raise
    except Exception as error:
        if not is_horovods(error):
            raise
        raise HorovodInternalError(str(error)) from error
