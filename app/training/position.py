"""Where a run stands, as its checkpoints keep it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from absl import logging

from app.integrity.archives import archive_damage
from app.options import TrainingConfig
from app.running.run_folder import RunFolder
from app.training import checkpoints
from app.training.history import remake_history


@dataclass
class Position:
    """The progress of a run; together with the trainer's variables this is its whole state.

    `samples` of the epoch's permutation are behind: a number that means the same on any number
    of ranks. When they are all behind, the validation is what comes next.
    """

    epoch: int = 0
    samples: int = 0
    total_steps: int = 0
    best_loss: float = math.inf
    epochs_without_gain: int = 0
    stopped_early: bool = False
    best_crc: int = 0  # of best.keras, 0 where there is none
    seconds: float = 0.0  # that training has taken
    plan: dict[str, float] = field(default_factory=dict)  # with a time budget, see `Plan`
    spent: float = 0.0  # the time budget that is behind
    history: list[dict[str, float]] = field(default_factory=list)

    def done(self, training: TrainingConfig) -> bool:
        """Whether all epochs, or the time, are behind, or early stopping has said so."""
        if self.stopped_early and training.early_stopping:
            return True
        if training.time_budget is not None:
            return self.spent >= training.time_budget
        return self.epoch >= training.epochs


def already_trained(folder: RunFolder, training: TrainingConfig) -> bool:
    """Whether an earlier call has finished this run; looks at the folder alone."""
    facts = checkpoints.load_facts(folder.checkpoints, Position)
    if facts is None or not Position(**facts).done(training):
        return False
    damage = archive_damage(folder.model) if training.save else None
    if damage and folder.model.exists():
        logging.warning("%s: %s; making it again", folder.model, damage)
    return damage is None


def remake_small_files(folder: RunFolder) -> None:
    """Write again what a finished run's checkpoint keeps a copy of, where it has changed."""
    facts = checkpoints.load_facts(folder.checkpoints, Position)
    if facts is not None:
        remake_history(folder.history, facts["history"])
