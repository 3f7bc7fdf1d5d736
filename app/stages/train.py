"""Stage `train`: shards to a trained model in the run folder."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from absl import logging

from app.registry import REGISTRY
from app.session import Session

if TYPE_CHECKING:
    from app.data.samples import Samples
    from app.models import PhysicalModel


def run(session: Session) -> None:
    """Train, resume, or find that there is nothing left to do."""
    experiment, folder, ranks = session.experiment, session.folder, session.ranks
    folder.check(experiment.flags, experiment.overwrite)

    from app.training.loop import Loop, already_trained

    if not experiment.overwrite and already_trained(folder, experiment.training):
        logging.info("%s: already trained; more --epochs extend it", folder.path)
        return
    shards, communicator = session.shards, session.communicator
    sampling = experiment.sampling
    model, samples = parts(session)
    steps = math.ceil(samples.size("train") / (sampling.batch_size * ranks.size))
    trainer = REGISTRY.resolve("trainer", experiment.training.trainer)(
        model,
        experiment.training,
        communicator,
        steps_per_epoch=min(steps, sampling.max_steps or steps),
        data_range=shards.scaling["hr"].data_range,
    )
    if ranks.first:
        folder.begin(experiment.flags, experiment.overwrite)
        folder.write_provenance(
            {
                "ranks": ranks.size,
                "launcher": ranks.launcher,
                "seed": experiment.training.seed,
                "parameters": model.network.count_params(),
                "data_fingerprint": shards.fingerprint,
            }
        )
    communicator.barrier()
    Loop(trainer, samples, communicator, folder, experiment.training, sampling, session.guard).run()


def parts(session: Session) -> tuple[Any, Samples]:
    """The model to be trained, and the samples to train it on."""
    experiment, shards = session.experiment, session.shards
    if experiment.in_time:
        from app.training.assemble_time import build_temporal_model, triple_samples

        return build_temporal_model(experiment, shards), triple_samples(experiment, shards)
    from app.data.samples import FieldSamples

    sampling = experiment.sampling
    return _model(session), FieldSamples(shards, sampling.patch_size, sampling.time_window)


def _model(session: Session) -> PhysicalModel:
    """The model to be trained; a fresh run may begin with the weights of another one."""
    from app.training.assemble import build_model
    from app.training.checkpoints import load_facts
    from app.training.transfer import freeze, initialise

    experiment = session.experiment
    model = build_model(experiment, session.shards, session.ranks)
    transfer = experiment.transfer
    if transfer.init_from and (
        experiment.overwrite or load_facts(session.folder.checkpoints) is None
    ):
        # Before the run folder is begun, so that a refusal leaves no trace in it.
        initialise(model, transfer)
    freeze(model, transfer.freeze)
    return model
