"""Methods that train one model in one loop. Imports no TensorFlow until one trains."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from absl import logging

from app.methods.method import Method

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.data.streaming.samples import Samples
    from app.losses.dense import DenseWeights
    from app.options import SamplingConfig
    from app.ranks import Ranks
    from app.session import Session
    from app.training.trainer import Trainer


@dataclass(frozen=True)
class Parts:
    """What is trained, on what, and by what; `dense`: weights of the targets' cells, if any."""

    model: Any
    samples: Samples
    trainer: Trainer
    dense: DenseWeights | None = None


class OnePhase(Method):
    """A method that trains one model in one loop, and saves it."""

    @abstractmethod
    def build(self, session: Session, shards: Shards) -> Parts:
        """Model, samples and trainer; the shards lack the fold of --left_out_fold."""

    def begin(self, session: Session, shards: Shards, parts: Parts) -> None:
        """What a run folder holds before its training starts; for the first rank."""
        from app.training.begin import begin_run

        begin_run(session, parts.model, overwrite=session.experiment.overwrite)

    def train(self, session: Session) -> None:
        experiment, folder, ranks = session.experiment, session.folder, session.ranks
        folder.check(experiment.flags, experiment.overwrite)

        from app.running.changed_data import refuse_changed_data_of
        from app.training.loop import Loop
        from app.training.position import already_trained, remake_small_files

        if not experiment.overwrite and already_trained(folder, experiment.training):
            if ranks.first:
                remake_small_files(folder)
            refuse_changed_data_of(session, folder)
            logging.info("%s: already trained; more --epochs extend it", folder.path)
            return
        communicator = session.communicator  # TensorFlow is started before anything imports it

        from app import backend
        from app.running.run_data import check_same_data
        from app.training.footprint import refuse_excess

        if not experiment.overwrite:
            check_same_data(folder, session.shards, experiment.accept_changed_data)
        shards = session.shards.without_fold(experiment.training.left_out_fold)
        with_network = not backend.on_gpu()
        refuse_excess(experiment, shards, ranks.local_size, with_network=with_network)
        self.check_data(experiment, shards)
        parts = self.build(session, shards)
        if ranks.first:
            self.begin(session, shards, parts)
        communicator.barrier()
        Loop(
            parts.trainer,
            parts.samples,
            communicator,
            folder,
            experiment.training,
            experiment.sampling,
            session.guard,
            session.begun,
        ).run()


def steps_per_epoch(sampling: SamplingConfig, samples: Samples, ranks: Ranks) -> int:
    """Steps of one pass over the training samples by all ranks."""
    steps = math.ceil(samples.size("train") / (sampling.batch_size * ranks.size))
    return min(steps, sampling.max_steps or steps)
