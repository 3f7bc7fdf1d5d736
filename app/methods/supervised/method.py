"""Supervised training. Imports no TensorFlow until it trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.methods.method import Abilities
from app.methods.spatial.method import FieldMethod

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.methods.recipe import Recipe
    from app.methods.spatial.method import MakeTrainer
    from app.models import PhysicalModel
    from app.options import Experiment
    from app.ranks import Ranks
    from app.session import Session


class Supervised(FieldMethod):
    """The network of the model flags, trained on the loss of --loss."""

    recipe_flags = (
        *("first_guess", "scaled_correction", "time_features", "constraint", "padding"),
        *("n_filters", "n_blocks", "dropout_rate", "loss", "epochs", "batch_size"),
        *("lr_schedule", "weight_decay", "ema_decay", "early_stopping", "patience"),
    )

    abilities = Abilities(
        time_windows=True, observations=True, dense_weights=True, quantiles=True, amounts=True
    )
    flags = ("quantiles",)

    def recipe(self, experiment: Experiment, shards: Shards) -> Recipe:
        from app.methods.supervised.recipe import recipe

        return recipe(experiment, shards)

    def sized(self, session: Session, seconds: float) -> Recipe:
        from app.methods.speed import samples_per_second
        from app.methods.supervised.recipe import USUAL, sized

        if set(USUAL) <= (session.experiment.given or frozenset()):
            return super().sized(session, seconds)
        return sized(seconds, lambda: samples_per_second(session, self))

    def model_and_trainer(
        self, experiment: Experiment, shards: Shards, ranks: Ranks
    ) -> tuple[PhysicalModel, MakeTrainer]:
        from app.methods.spatial.model import build_model
        from app.methods.supervised.trainer import SupervisedTrainer

        return build_model(experiment, shards, ranks), SupervisedTrainer
