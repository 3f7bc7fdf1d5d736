"""A stack of stages, each trained on its own on true fields, then joined (DeepSD)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

import keras
import numpy as np
from absl import logging
from numpy.typing import NDArray

from app.baselines.interpolation import match_channels
from app.data.shards import Shards
from app.data.streaming.samples import FieldSamples
from app.data.transforms import forward
from app.grids import Geometry
from app.losses.dense import DenseWeights
from app.methods.deepsd.record import (
    digests,
    load_stage,
    nothing_to_do,
    part_of_time,
    record,
    recorded,
    refuse_missing,
    stage_folder,
)
from app.methods.deepsd.trainer import StageTrainer
from app.methods.method import method_of
from app.methods.one_phase import steps_per_epoch
from app.methods.spatial.checks import accumulated
from app.methods.spatial.method import begin_fields
from app.methods.spatial.model import build_model
from app.methods.supervised.trainer import SupervisedTrainer
from app.models.block_means import BlockMeans
from app.models.saving import save_model
from app.models.spec import ModelSpec
from app.models.stack import build_stages, join_stages
from app.options import JOIN, TrainingConfig
from app.running.changed_data import refuse_changed_data_of
from app.running.run_data import check_same_data, facts_of_data
from app.running.run_files import remove_training
from app.running.run_folder import MADE_BY, RunFolder, flags_digest
from app.session import Session
from app.training.base import NetworkTrainer
from app.training.density import fit_dense_weights, write_dense_weights
from app.training.loop import Loop
from app.training.position import already_trained, remake_small_files

Fields = NDArray[np.float32]
FINETUNE_SHARE = 0.1  # of the learning rate, where --finetune_rate does not say otherwise


def train_stack(session: Session) -> None:
    """Train the stages that are wanted and not trained yet; join them where that is wanted."""
    experiment, folder, ranks = session.experiment, session.folder, session.ranks
    stack = experiment.stack
    folder.check(experiment.flags, experiment.overwrite)
    folders = [stage_folder(folder, n) for n in range(1, len(stack.sr_factors) + 1)]
    whole = stack.sr_stage is None
    if not experiment.overwrite and nothing_to_do(experiment, folder, folders):
        for each in (folder, *folders) if ranks.first else ():
            remake_small_files(each)
        refuse_changed_data_of(session, folder)
        logging.info("%s: already trained; more --epochs extend it", folder.path)
        return
    if stack.sr_stage == JOIN:
        refuse_missing(folders, experiment.flags)
    if not experiment.overwrite:
        for each in (folder, *folders):
            check_same_data(each, session.shards, experiment.accept_changed_data)
    method_of(experiment).check_data(experiment, session.shards)
    parts = _Parts(session)
    if ranks.first and stack.joins:  # stages that are trained side by side leave the run alone
        overwrite = whole and experiment.overwrite
        begin_fields(session, session.shards, parts.model, overwrite=overwrite)
    session.communicator.barrier()
    for number in stack.numbers:
        parts.train_stage(number, folders[number - 1], experiment.overwrite and not whole)
    if stack.joins:
        parts.join(folders)


class _Parts:
    """The stages and the model of their join, the weights of both being the same."""

    def __init__(self, session: Session) -> None:
        self._session, experiment = session, session.experiment
        self._experiment, self._shards = experiment, session.shards
        self._training = part_of_time(experiment)
        self._communicator, self._ranks = session.communicator, session.ranks
        shards = self._shards
        sampling = experiment.sampling
        self._samples = FieldSamples(shards, sampling.patches, frames=None)
        self._steps = steps_per_epoch(sampling, self._samples, session.ranks)
        self.stages: list[keras.Model] = []
        self.model = build_model(experiment, shards, session.ranks, self._network)
        data = experiment.data
        self._means = BlockMeans(
            shards.geometry.weights(), data.min_valid_fraction if data else 0.5
        )

    def _network(self, spec: ModelSpec) -> keras.Model:
        stack, shards = self._experiment.stack, self._shards
        sizes = {
            "n_inputs": spec.n_coarse,
            "n_static": spec.n_static,
        }
        twins = match_channels(
            shards.variables["hr"], shards.variables["lr"], units_known=shards.has_times
        )
        self.stages = build_stages(
            stack, self._experiment.model, **sizes, n_outputs=len(spec.outputs), twins=twins
        )
        bounds = _encoded_bounds(shards)
        return join_stages(self.stages, stack.sr_factors, **sizes, lower_bounds=bounds)

    def train_stage(self, number: int, folder: RunFolder, overwrite: bool) -> None:
        """Train one stage in its folder, or find that it is trained."""
        experiment, ranks = self._experiment, self._ranks
        stage = self.stages[number - 1]
        folder.check(experiment.flags, overwrite)
        if overwrite or not already_trained(folder, self._training):
            size = stage.count_params()
            logging.info("stage %d of %d: %d weights", number, len(self.stages), size)
            dense = self._dense(number)
            if ranks.first:
                folder.begin(experiment.flags, overwrite)
                made_by = {MADE_BY: flags_digest(experiment.flags)}
                folder.write_provenance({**made_by, **facts_of_data(folder, self._shards)})
                if dense is not None:
                    variables = self._shards.variables["hr"]
                    write_dense_weights(folder.dense_weights, dense, variables, experiment.training)
            self._communicator.barrier()
            trainer = StageTrainer(
                self.model,
                self.stages,
                number,
                experiment,
                self._communicator,
                means=self._means,
                steps_per_epoch=self._steps,
                data_range=self._shards.scaling["hr"].data_range,
                dense=dense,
            )
            self._loop(trainer, folder, self._training)
        load_stage(stage, folder)

    def join(self, folders: list[RunFolder]) -> None:
        """Put the trained stages together, train them end to end where wanted, and save."""
        experiment, folder = self._experiment, self._session.folder
        for stage, each in zip(self.stages, folders, strict=True):
            load_stage(stage, each)
        found, epochs = digests(folders), experiment.stack.finetune_joint
        fresh = recorded(folder) != found
        self._communicator.barrier()  # all have looked before the first rank writes
        if self._ranks.first and fresh:
            remove_training(folder.path)
            record(folder, found)
        self._communicator.barrier()
        if epochs:
            self._finetune(folder, epochs)
            return
        if self._ranks.first:
            save_model(self.model, folder.model)
            logging.info("%d stages joined: %s", len(folders), folder.model)
        self._communicator.barrier()

    def _finetune(self, folder: RunFolder, epochs: int) -> None:
        """Train the joined model end to end."""
        training, stack = self._training, self._experiment.stack
        rates = tuple(FINETUNE_SHARE * rate for rate in training.learning_rate)
        if stack.finetune_rate is not None:
            rates = (stack.finetune_rate,)
        joint = replace(training, epochs=epochs, learning_rate=rates)
        dense = self._dense(len(self.stages))
        trainer = SupervisedTrainer(
            self.model,
            joint,
            self._communicator,
            steps_per_epoch=self._steps,
            data_range=self._shards.scaling["hr"].data_range,
            dense=dense,
        )
        logging.info("training %d joined stages end to end", len(self.stages))
        self._loop(trainer, folder, joint)

    def _loop(self, trainer: NetworkTrainer, folder: RunFolder, training: TrainingConfig) -> None:
        Loop(
            trainer,
            self._samples,
            self._communicator,
            folder,
            training,
            self._experiment.sampling,
            self._session.guard,
        ).run()

    def _dense(self, number: int) -> DenseWeights | None:
        """The weights of a stage's own targets."""
        return fit_dense_weights(
            self._experiment.training,
            self._shards,
            self._communicator,
            accumulated(self._experiment),
            _coarsened(self._shards, prod(self._experiment.stack.sr_factors[number:])),
        )


def _coarsened(shards: Shards, factor: int) -> Callable[[Fields], Fields] | None:
    """From fields (n, y, x, C) to their block means; None for the finest."""
    if factor == 1:
        return None
    geometry = Geometry.build(shards.geometry.fine, factor)
    return lambda fields: np.moveaxis(geometry.coarsen(np.moveaxis(fields, -1, 1)), 1, -1)


def _encoded_bounds(shards: Shards) -> list[float]:
    """Codes of each predictand's valid_min, -inf without one."""
    scaling = shards.scaling["hr"]
    return [
        -np.inf
        if variable.valid_min is None
        else float((forward(variable.valid_min, variable) - offset) / scale)
        for variable, offset, scale in zip(
            shards.predictands, scaling.offset, scaling.scale, strict=True
        )
    ]
