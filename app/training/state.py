"""A trainer's variables as named arrays, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from absl import logging

from app.distributed import Communicator, Ranks
from app.errors import InputError

if TYPE_CHECKING:
    from app.training.trainer import Trainer

SEEDS = "seeds/"


def capture(trainer: Trainer, communicator: Communicator) -> dict[str, np.ndarray]:
    """All state as arrays; the seed generators of every rank, since theirs differ."""
    seeds = [np.asarray(variable.value) for variable in trainer.seeds()]
    arrays = {name: np.asarray(v.numpy()) for name, v in trainer.variables().items()}
    if seeds:
        for rank, own in enumerate(communicator.gather(np.stack(seeds))):
            arrays[f"{SEEDS}{rank}"] = own
    return arrays


def restore(trainer: Trainer, arrays: dict[str, np.ndarray], ranks: Ranks) -> None:
    """Assign a captured state; InputError where it belongs to another network."""
    variables = trainer.variables()
    saved = {name for name in arrays if not name.startswith(SEEDS)}
    if saved != set(variables):
        raise InputError(
            f"checkpoint: made for another network (it has {len(saved)} variables, this one "
            f"{len(variables)}); use --overwrite to start anew"
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])
    own = arrays.get(f"{SEEDS}{ranks.rank}")
    if own is None or f"{SEEDS}{ranks.size}" in arrays:
        _explain_seeds(trainer)
        return
    for variable, value in zip(trainer.seeds(), own, strict=True):
        variable.assign(value)


def _explain_seeds(trainer: Any) -> None:
    if trainer.seeds():
        logging.info("another number of ranks than before: dropout draws anew")
