"""Conditional adversarial training. Imports no TensorFlow until it trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.methods.method import Abilities
from app.methods.spatial.method import FieldMethod

if TYPE_CHECKING:
    from app.methods.cgan.trainer import CGANTrainer


class Cgan(FieldMethod):
    """The network of the model flags, trained on the loss of --loss and against a discriminator."""

    abilities = Abilities(time_windows=True, observations=True, dense_weights=True)

    def trainer_class(self) -> type[CGANTrainer]:
        from app.methods.cgan.trainer import CGANTrainer

        return CGANTrainer
