"""Downscaling in time. Imports no TensorFlow until it trains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from app.errors import InputError
from app.methods.one_phase import OnePhase, Parts, steps_per_epoch
from app.options.option import names_of
from app.options.table import FLAGS_BY_NAME
from app.options.temporal import FlowOptions, TripleOptions

if TYPE_CHECKING:
    from app.data.description import DataDescription
    from app.data.shards import Shards
    from app.methods.recipe import Recipe
    from app.options import Experiment, Values
    from app.options.sampling import StepOptions
    from app.session import Session

SPACE_ALONE = (
    *("patch_size", "constraint", "first_guess", "init_from", "halo", "input_noise"),
    *("localcon_layer", "normalization", "attention", "members", "tile_size", "ensemble"),
    *("output_activation", "data_module", "trained_epochs", "coordinate_channels", "time_window"),
    *("dense_alpha", "left_out_fold"),
)  # flags without a meaning for downscaling in time


class TemDeep(OnePhase):
    """Fields between known frames, learnt from triples of known frames alone."""

    task = "time"
    recipe_flags = (
        *("context_frames", "sun_response", "flow", "n_filters", "n_blocks"),
        *("pretrain_epochs", "coherence_epochs", "max_triplet_span", "composite_subset"),
        *("batch_size", "loss", "learning_rate", "lr_schedule", "weight_decay", "ema_decay"),
    )
    flags = (*names_of(FlowOptions, TripleOptions), "input_step", "target_step")

    def resolve(self, values: Values) -> Values:
        """The scale is 1 unless another is asked for; --epochs is the sum of two stages'."""
        stages = [values["pretrain_epochs"], values["coherence_epochs"]]
        if values["debug"]:
            stages = [min(1, epochs) for epochs in stages]
        if not sum(stages):
            raise InputError("--pretrain_epochs=0 with --coherence_epochs=0: nothing to train")
        names = ("pretrain_epochs", "coherence_epochs", "epochs")
        default = FLAGS_BY_NAME["scale"].default
        return {
            "scale": 1 if values["scale"] == default else values["scale"],
            **dict(zip(names, (*stages, sum(stages)), strict=True)),
        }

    def recipe(self, experiment: Experiment, shards: Shards) -> Recipe:
        from app.methods.temdeep.recipe import recipe

        return recipe(experiment, shards)

    def described(self, data: DataDescription, asked: StepOptions) -> DataDescription:
        from app.options.description import time_steps

        return replace(data, time_steps=time_steps(asked))

    def refuse(self, experiment: Experiment) -> None:
        super().refuse(experiment)
        values, scale = experiment.flags, experiment.sampling.scale
        if scale != 1:
            raise InputError(
                f"--scale={scale} with --trainer={self.name}: it trains in time alone; train a "
                "model in space too and join them by test --model=SPACE_RUN "
                "--temporal_model=TIME_RUN"
            )
        if values["test_pairs"] not in (None, values["paired_samples"]):
            raise InputError(
                f"--test_pairs={values['test_pairs']} with --trainer={self.name}: known frames are "
                "no pairs; leave it out"
            )
        defaults = {name: flag.default for name, flag in FLAGS_BY_NAME.items()}
        spatial = [name for name in SPACE_ALONE if values[name] != defaults[name]]
        if spatial:
            raise InputError(
                f"--{spatial[0]}={values[spatial[0]]} with --trainer={self.name}: not made for "
                "downscaling in time; leave it out"
            )

    def check_data(self, experiment: Experiment, shards: Shards) -> None:
        from app.data.streaming.triples import middle_frames

        steps = experiment.data.time_steps if experiment.data else None
        if steps is not None:
            for split in ("train", "validation"):
                middle_frames(shards, split, steps.input_step)

    def notes(self, shards: Shards) -> Iterator[str]:
        from app.data.shards.time_plan import WITHHELD

        if "test" in shards.splits and WITHHELD not in shards.splits:
            yield (
                "the record has no frames between the known ones of the test period: what is "
                "filled in cannot be scored"
            )

    def kept_values(self, experiment: Experiment, coarse: int, fine: int) -> int:
        from app.training.footprint import network_values

        return network_values(experiment.model, fine, fine)

    def build(self, session: Session, shards: Shards) -> Parts:
        from app.methods.temdeep.model import (
            build_temporal_model,
            fit_solar_coefficients,
            triple_samples,
        )
        from app.methods.temdeep.trainer import TemDeepTrainer

        experiment = session.experiment
        model = build_temporal_model(experiment, shards)
        samples = triple_samples(experiment, shards)
        fit_solar_coefficients(model, samples)
        trainer = TemDeepTrainer(
            model,
            experiment.training,
            session.communicator,
            steps_per_epoch=steps_per_epoch(experiment.sampling, samples, session.ranks),
            data_range=shards.scaling["hr"].data_range,
        )
        return Parts(model, samples, trainer)
