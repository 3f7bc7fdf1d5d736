"""Stage `train`: shards to a trained model in the run folder."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from absl import logging

from app.config import STACK_TRAINER
from app.registry import REGISTRY
from app.session import Session

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.losses.dense import DenseWeights
    from app.models import PhysicalModel


def run(session: Session) -> None:
    """Train, resume, or find that there is nothing left to do."""
    experiment, folder, ranks = session.experiment, session.folder, session.ranks
    if experiment.training.trainer == STACK_TRAINER:
        from app.training.deepsd import train_stack

        train_stack(session)
        return
    folder.check(experiment.flags, experiment.overwrite)

    from app.data.windows import samples
    from app.inference.correction import CLIMATE, write_input_climate
    from app.training.density import write_dense_weights
    from app.training.folds import without_fold
    from app.training.loop import Loop, already_trained

    if not experiment.overwrite and already_trained(folder, experiment.training):
        logging.info("%s: already trained; more --epochs extend it", folder.path)
        return
    communicator = session.communicator
    shards = without_fold(session.shards, experiment.training.left_out_fold)
    sampling = experiment.sampling
    starts = samples(shards, "train", sampling.time_window)
    steps = math.ceil(len(starts) / (sampling.batch_size * ranks.size))
    model = _model(session, shards)
    dense = _dense_weights(session, shards)
    trainer = REGISTRY.resolve("trainer", experiment.training.trainer)(
        model,
        experiment.training,
        communicator,
        steps_per_epoch=min(steps, sampling.max_steps or steps),
        data_range=shards.scaling["hr"].data_range,
        **({"dense": dense} if dense else {}),
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
        if shards.has_times:
            write_input_climate(folder.path / CLIMATE, shards)
        if dense:
            write_dense_weights(
                folder.dense_weights, dense, shards.variables["hr"], experiment.training
            )
    communicator.barrier()
    Loop(trainer, shards, communicator, folder, experiment.training, sampling, session.guard).run()


def _dense_weights(session: Session, shards: Shards) -> DenseWeights | None:
    """The weights that --dense_alpha asks for."""
    from app.data.wet import summed_over
    from app.training.density import fit_dense_weights

    source = session.description.predictand
    return fit_dense_weights(
        session.experiment.training,
        shards,
        session.communicator,
        summed_over(source.aggregate if source else None),
    )


def _model(session: Session, shards: Shards) -> PhysicalModel:
    """The model to be trained; a fresh run may begin with the weights of another one."""
    from app.training.assemble import build_model
    from app.training.checkpoints import load_facts
    from app.training.transfer import freeze, initialise

    experiment = session.experiment
    model = build_model(experiment, shards, session.ranks)
    transfer = experiment.transfer
    if transfer.init_from and (
        experiment.overwrite or load_facts(session.folder.checkpoints) is None
    ):
        # Before the run folder is begun, so that a refusal leaves no trace in it.
        initialise(model, transfer)
    freeze(model, transfer.freeze)
    return model
