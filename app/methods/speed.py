"""How fast a network trains on this machine, by a few steps of it."""

from __future__ import annotations

import copy
import time
from statistics import median
from typing import TYPE_CHECKING

from absl import logging

from app import backend, options
from app.data.streaming.sampler import Sampler

if TYPE_CHECKING:
    from app.methods.one_phase import OnePhase
    from app.session import Session

TIMED_STEPS = 5
# What takes long to fit and next to nothing in a step.
WITHOUT = {"first_guess": "none", "scaled_correction": False, "constraint": "none"}


def samples_per_second(session: Session, method: OnePhase) -> float:
    """Samples that all ranks together train on in a second, with the session's flags.

    The network and its optimiser are made, take some steps, and are forgotten.
    """
    experiment = session.experiment
    logging.info("timing %d steps of training:", TIMED_STEPS)
    probe = copy.copy(session)
    flags = {**experiment.flags, **WITHOUT}
    probe.experiment = options.build(experiment.stages, flags, experiment.given)
    communicator = session.communicator
    parts = method.build(probe, session.shards)
    ranks, size = session.ranks, parts.samples.size("train")
    batch_size = min(experiment.sampling.batch_size, -(-size // ranks.size))
    sampler = Sampler(size, rank=ranks.rank, size=ranks.size, batch_size=batch_size)
    with parts.samples.batches("train", sampler) as stream:
        batch = next(iter(stream))
    seconds = []
    for _ in range(TIMED_STEPS + 1):
        begun = time.monotonic()
        parts.trainer.train_step(batch)
        parts.trainer.epoch_losses()  # waits for the step
        seconds.append(time.monotonic() - begun)
    backend.clear(experiment.training.seed)
    rate = batch_size * ranks.size / median(seconds[1:])  # the first one compiles
    return float(communicator.gather(rate)[0])
