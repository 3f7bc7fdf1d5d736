"""Stage `train`: shards to a trained model in the run folder."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from absl import logging

from app.options import STACK_TRAINER
from app.registry import REGISTRY
from app.session import Session

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.data.streaming.samples import Samples
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

    from app.running.changed_data import refuse_changed_data_of
    from app.training.loop import Loop, already_trained, remake_small_files

    if not experiment.overwrite and already_trained(folder, experiment.training):
        if ranks.first:
            remake_small_files(folder)
        refuse_changed_data_of(session, folder)
        logging.info("%s: already trained; more --epochs extend it", folder.path)
        return
    communicator = session.communicator  # TensorFlow is started before anything imports it

    from app.running.run_data import check_same_data
    from app.training.begin import begin_run
    from app.training.density import write_dense_weights
    from app.training.folds import without_fold

    if not experiment.overwrite:
        check_same_data(folder, session.shards, experiment.accept_changed_data)
    shards = without_fold(session.shards, experiment.training.left_out_fold)
    sampling = experiment.sampling
    _refuse_excess(session, shards)
    model, samples = parts(session, shards)
    steps = math.ceil(samples.size("train") / (sampling.batch_size * ranks.size))
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
        begin_run(session, shards, model, overwrite=experiment.overwrite)
        if dense:
            write_dense_weights(
                folder.dense_weights, dense, shards.variables["hr"], experiment.training
            )
    communicator.barrier()
    Loop(trainer, samples, communicator, folder, experiment.training, sampling, session.guard).run()


def _refuse_excess(session: Session, shards: Shards) -> None:
    from app import backend
    from app.training.footprint import refuse_excess

    with_network = not backend.on_gpu()
    refuse_excess(session.experiment, shards, session.ranks.local_size, with_network=with_network)


def parts(session: Session, shards: Shards) -> tuple[Any, Samples]:
    """The model to be trained, and the samples to train it on."""
    experiment = session.experiment
    if experiment.in_time:
        from app.training.assemble_time import build_temporal_model, fit_course, triple_samples

        temporal, triples = (
            build_temporal_model(experiment, shards),
            triple_samples(experiment, shards),
        )
        fit_course(temporal, triples)
        return temporal, triples
    from app.data.streaming.samples import FieldSamples

    sampling = experiment.sampling
    samples = FieldSamples(
        shards, sampling.patches, sampling.time_window, session.observations(shards)
    )
    return _model(session, shards), samples


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
