"""A stack of stages. Imports no TensorFlow until it trains."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import InputError
from app.methods.deepsd.folders import stage_path
from app.methods.method import Abilities
from app.methods.spatial.method import SpatialMethod
from app.options import as_text
from app.options.option import names_of
from app.options.rules import Rule
from app.options.stack import StackNetworkOptions, StackTrainingOptions

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.options import Experiment
    from app.session import Session


def _kept(name: str, broken: Callable[[Experiment], object]) -> Rule[Experiment]:
    """A flag that would change the stages as they are joined."""
    return Rule(
        broken,
        f"{name} with --trainer={{trainer}}: the stages are trained on their own and joined; "
        "leave it out",
    )


def _alone(stage: str) -> Rule[Experiment]:
    """Single stages are trained in a command of their own."""
    return Rule(
        lambda e: not e.stack.joins and {"train", stage} <= set(e.stages),
        f"--sr_stage={{sr_stage}} with the stage {stage}: one stage of a stack predicts nothing "
        "yet; expected the stage train alone",
    )


class DeepSD(SpatialMethod):
    """Stages of --sr_factors, each trained on its own on true fields, then joined."""

    abilities = Abilities(dense_weights=True, stages=True)
    flags = names_of(StackNetworkOptions, StackTrainingOptions)
    rules = (
        _kept("--first_guess={first_guess}", lambda e: e.model.first_guess != "none"),
        _kept(
            "--output_activation={output_activation}",
            lambda e: e.model.output_activation is not None,
        ),
        _kept("--localcon_layer", lambda e: e.model.localcon_layer),
        _kept("--init_from={init_from}", lambda e: e.transfer.init_from is not None),
        _kept("--nosave", lambda e: not e.training.save),
        _alone("test"),
        _alone("metrics"),
    )

    def train(self, session: Session) -> None:
        from app.methods.deepsd.stages import train_stack

        train_stack(session)

    def refuse(self, experiment: Experiment) -> None:
        super().refuse(experiment)
        stack = experiment.stack
        product = math.prod(stack.sr_factors)
        if product != experiment.sampling.scale:
            raise InputError(
                f"--sr_factors={as_text(stack.sr_factors)} with "
                f"--scale={experiment.sampling.scale}: "
                f"expected factors whose product is the scale, here it is {product}"
            )

    def check_data(self, experiment: Experiment, shards: Shards) -> None:
        super().check_data(experiment, shards)
        if any(scaling.offset.ndim > 1 for scaling in shards.scaling.values()):
            raise InputError(
                f"--trainer={self.name} with scaling_axes: pixel: scaling that belongs to grid "
                "points does not fit the resolutions between; use scaling_axes: domain"
            )

    def guarded_path(self, experiment: Experiment) -> Path:
        """The folder of a single stage: stages of a stack may be trained side by side."""
        numbers = experiment.stack.numbers
        if experiment.stack.joins:
            return experiment.save_path
        return stage_path(experiment.save_path, *numbers)
