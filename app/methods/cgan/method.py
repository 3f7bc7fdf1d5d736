"""Conditional adversarial training. Imports no TensorFlow until it trains."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from app.methods.method import Abilities
from app.methods.spatial.method import FieldMethod
from app.options.option import names_of
from app.options.training import DiscriminatorOptions

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.methods.spatial.method import MakeTrainer
    from app.models import PhysicalModel
    from app.options import Experiment
    from app.ranks import Ranks


class Cgan(FieldMethod):
    """The network of the model flags, trained on the loss of --loss and against a discriminator."""

    abilities = Abilities(time_windows=True, observations=True, dense_weights=True)
    flags = (*names_of(DiscriminatorOptions), "disc_learning_rate", "pixel_loss_weight")

    def model_and_trainer(
        self, experiment: Experiment, shards: Shards, ranks: Ranks
    ) -> tuple[PhysicalModel, MakeTrainer]:
        from app.methods.cgan.trainer import CGANTrainer
        from app.methods.spatial.model import build_model

        make_trainer = partial(CGANTrainer, padding=experiment.model.padding)
        return build_model(experiment, shards, ranks), make_trainer
