"""Baselines that the ranks of a job fit together: each some of them, handed to the others."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from app.baselines.base import Baseline
from app.distributed.exchange import Exchange

if TYPE_CHECKING:
    from app.data.contract import PreparedData

DATA = "data"  # what stands for the prepared data, which every rank has


def fitted_together(
    makers: Sequence[Callable[[], Baseline]], shards: PreparedData, exchange: Exchange
) -> list[Baseline]:
    """What the makers fit, each on one of the ranks; the same, to the last bit, on all of them.

    A baseline that cannot be handed over, such as one of the user's that holds an open file, is
    fitted on every rank.
    """
    ranks = exchange.ranks
    own = {i: make() for i, make in enumerate(makers) if i % ranks.size == ranks.rank}
    if ranks.size == 1:
        return list(own.values())
    told: dict[int, bytes] = {}
    for others in exchange.gather({i: _packed(fitted, shards) for i, fitted in own.items()}):
        told |= {i: packed for i, packed in others.items() if packed is not None}
    found = []
    for i, make in enumerate(makers):
        if i not in own:
            own[i] = _Unpickler(io.BytesIO(told[i]), shards).load() if i in told else make()
        found.append(own[i])
    return found


def _packed(fitted: Baseline, shards: PreparedData) -> bytes | None:
    """A baseline without the prepared data; None where it holds what cannot be handed over."""
    out = io.BytesIO()
    try:
        _Pickler(out, shards).dump(fitted)
    except (pickle.PicklingError, TypeError, AttributeError):
        return None
    return out.getvalue()


class _Pickler(pickle.Pickler):
    """Leaves the prepared data out."""

    def __init__(self, out: io.BytesIO, shards: PreparedData) -> None:
        super().__init__(out, protocol=pickle.HIGHEST_PROTOCOL)
        self._shards = shards

    def persistent_id(self, held: Any) -> str | None:
        return DATA if held is self._shards else None


class _Unpickler(pickle.Unpickler):
    """Puts this rank's prepared data in their place."""

    def __init__(self, packed: io.BytesIO, shards: PreparedData) -> None:
        super().__init__(packed)
        self._shards = shards

    def persistent_load(self, told: Any) -> PreparedData:
        return self._shards
