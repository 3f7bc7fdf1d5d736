"""A stack of stages. Imports no TensorFlow until it trains."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import InputError
from app.methods.deepsd.folders import stage_path
from app.methods.method import Abilities
from app.methods.spatial.method import SpatialMethod
from app.options import as_text

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.options import Experiment
    from app.session import Session


class DeepSD(SpatialMethod):
    """Stages of --sr_factors, each trained on its own on true fields, then joined."""

    abilities = Abilities(dense_weights=True)

    def train(self, session: Session) -> None:
        from app.methods.deepsd.stages import train_stack

        train_stack(session)

    def refuse(self, experiment: Experiment) -> None:
        super().refuse(experiment)
        stack, model = experiment.stack, experiment.model
        product = math.prod(stack.sr_factors)
        if product != experiment.sampling.scale:
            raise InputError(
                f"--sr_factors={as_text(stack.sr_factors)} with "
                f"--scale={experiment.sampling.scale}: "
                f"expected factors whose product is the scale, here it is {product}"
            )
        for name, used in (
            (f"--first_guess={model.first_guess}", model.first_guess != "none"),
            (f"--output_activation={model.output_activation}", model.output_activation is not None),
            ("--localcon_layer", model.localcon_layer),
            (
                f"--init_from={experiment.transfer.init_from}",
                experiment.transfer.init_from is not None,
            ),
            ("--nosave", not experiment.training.save),
        ):
            if used:
                raise InputError(
                    f"{name} with --trainer={self.name}: the stages are trained on their own and "
                    "joined; leave it out"
                )
        others = [stage for stage in experiment.stages if stage in ("test", "metrics")]
        if not stack.joins and "train" in experiment.stages and others:
            raise InputError(
                f"--sr_stage={stack.sr_stage} with the stage {others[0]}: one stage of a stack "
                "predicts nothing yet; expected the stage train alone"
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
