"""Supervised training. Imports no TensorFlow until it trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.methods.method import Abilities
from app.methods.spatial.method import FieldMethod

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.methods.spatial.method import MakeTrainer
    from app.models import PhysicalModel
    from app.options import Experiment
    from app.ranks import Ranks


class Supervised(FieldMethod):
    """The network of the model flags, trained on the loss of --loss."""

    abilities = Abilities(
        time_windows=True, observations=True, dense_weights=True, quantiles=True, amounts=True
    )
    flags = ("quantiles",)

    def model_and_trainer(
        self, experiment: Experiment, shards: Shards, ranks: Ranks
    ) -> tuple[PhysicalModel, MakeTrainer]:
        from app.methods.spatial.model import build_model
        from app.methods.supervised.trainer import SupervisedTrainer

        return build_model(experiment, shards, ranks), SupervisedTrainer
