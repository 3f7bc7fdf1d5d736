"""Supervised training. Imports no TensorFlow until it trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.methods.method import Abilities
from app.methods.spatial.method import FieldMethod

if TYPE_CHECKING:
    from app.methods.supervised.trainer import SupervisedTrainer


class Supervised(FieldMethod):
    """The network of the model flags, trained on the loss of --loss."""

    abilities = Abilities(
        time_windows=True, observations=True, dense_weights=True, quantiles=True, amounts=True
    )

    def trainer_class(self) -> type[SupervisedTrainer]:
        from app.methods.supervised.trainer import SupervisedTrainer

        return SupervisedTrainer
