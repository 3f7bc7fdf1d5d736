"""A trainer's variables as named arrays, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from app.arrays import Array
from app.distributed import Communicator
from app.errors import InputError
from app.ranks import Ranks

if TYPE_CHECKING:
    from app.training.trainer import Trainer

SEEDS = "seeds/"
LOCAL = "local/"


def capture(trainer: Trainer, communicator: Communicator) -> dict[str, Array]:
    """All state as arrays, with every rank's own seeds and local variables; changes nothing."""
    arrays = {name: np.array(v.numpy()) for name, v in trainer.variables().items()}
    seeds = [np.asarray(variable.value) for variable in trainer.seeds()]
    several = communicator.ranks.size > 1
    local = [np.asarray(variable.numpy()) for variable in trainer.local()] if several else []
    if seeds or local:
        for rank, (own, statistics) in enumerate(communicator.gather((seeds, local))):
            if own:
                arrays[f"{SEEDS}{rank}"] = np.stack(own)
            arrays |= {f"{LOCAL}{rank}/{i}": value for i, value in enumerate(statistics)}
    return arrays


def restore(trainer: Trainer, arrays: dict[str, Array], ranks: Ranks) -> None:
    """Assign a captured state; InputError where it belongs to another network."""
    variables = trainer.variables()
    saved = {name for name in arrays if not name.startswith((SEEDS, LOCAL))}
    if saved != set(variables):
        raise InputError(
            f"checkpoint: made for another network (it has {len(saved)} variables, this one "
            f"{len(variables)}); use --overwrite to start anew"
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])
    _restore_local(trainer, arrays, ranks)
    _restore_seeds(trainer, arrays, ranks)


def _restore_local(trainer: Trainer, arrays: dict[str, Array], ranks: Ranks) -> None:
    """Each rank's own values, or their mean on another number of ranks than before."""
    for i, variable in enumerate(trainer.local()):
        values: list[Array] = []
        while f"{LOCAL}{len(values)}/{i}" in arrays:
            values.append(arrays[f"{LOCAL}{len(values)}/{i}"])
        if len(values) == ranks.size:
            variable.assign(values[ranks.rank])
        elif values:
            variable.assign(np.mean(values, axis=0, dtype=np.float64).astype(values[0].dtype))


def _restore_seeds(trainer: Trainer, arrays: dict[str, Array], ranks: Ranks) -> None:
    """Each rank's own seeds; on another number of ranks all keep the seeds they started with."""
    if f"{SEEDS}{ranks.size - 1}" not in arrays or f"{SEEDS}{ranks.size}" in arrays:
        if trainer.seeds():
            logging.info("another number of ranks than before: dropout draws anew")
        return
    for variable, value in zip(trainer.seeds(), arrays[f"{SEEDS}{ranks.rank}"], strict=True):
        variable.assign(value)
