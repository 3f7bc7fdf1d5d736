"""Training by a proper score of members. Imports no TensorFlow until it trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.methods.method import Abilities
from app.methods.spatial.method import FieldMethod
from app.methods.supervised.method import Supervised
from app.options.network import DENSE
from app.options.option import names_of
from app.options.rules import Rule
from app.options.training import MemberOptions

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.methods.recipe import Recipe
    from app.methods.spatial.method import MakeTrainer
    from app.models import PhysicalModel
    from app.options import Experiment
    from app.ranks import Ranks


class Crps(FieldMethod):
    """The network of the model flags, told noise too, trained on the CRPS of a few members."""

    abilities = Abilities(observations=True, members=True)
    flags = names_of(MemberOptions)
    recipe_name = "ensemble"
    recipe_flags = (
        *(name for name in Supervised.recipe_flags if name not in ("scaled_correction", "loss")),
        *("transform", "members"),
    )
    rules = (
        Rule(
            lambda e: e.model.backbone == DENSE,
            "--backbone={backbone} with --trainer={trainer}: it has no place for noise on the fine "
            "grid; expected another backbone, or --trainer=SupervisedTrainer",
        ),
        Rule(
            lambda e: e.model.scaled_correction,
            "--scaled_correction with --trainer={trainer}: members are spread around the first "
            "guess; leave it out",
        ),
    )

    def recipe(self, experiment: Experiment, shards: Shards) -> Recipe:
        from app.methods.crps.recipe import recipe

        return recipe(experiment, shards)

    def model_and_trainer(
        self, experiment: Experiment, shards: Shards, ranks: Ranks
    ) -> tuple[PhysicalModel, MakeTrainer]:
        from app.methods.crps.model import build_noisy
        from app.methods.crps.trainer import CrpsTrainer

        return build_noisy(experiment, shards, ranks), CrpsTrainer

    def kept_values(self, experiment: Experiment, coarse: int, fine: int) -> int:
        one = super().kept_values(experiment, coarse, fine)
        return experiment.training.train_members * one
