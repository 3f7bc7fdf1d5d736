"""Which patches of the fine grid are trained on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Patches:
    """Patches of `size` fine cells a side, `stride` apart, with a least share of land.

    Without a stride they begin at any coarse cell. `land` names the static.
    """

    size: int
    stride: int | None = None
    min_land: float = 0.0
    land: str = "lsm"
