"""Missing in, missing out: gaps of the coarse inputs, and the fine cells left missing for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from absl import logging
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from app.grids import Geometry
from app.models.known_inputs import KnownInputs

if TYPE_CHECKING:
    from app.distributed import Communicator
    from app.models import ModelSpec
    from app.models.temporal import TemporalSpec

Mask = NDArray[np.bool_]


@dataclass(eq=False)
class Gaps:
    """Compares coarse inputs with what training knew of them, and counts what differs.

    Inputs that training never had are missing now too; those that it had and that are missing now
    leave their fine cells missing. For the cells around, a gap has the value of the nearest cell.
    """

    names: tuple[str, ...]
    known: KnownInputs
    geometry: Geometry
    missing_cells: Mask = field(init=False)
    missing_values: int = 0
    cells_seen: int = 0
    surplus: Mask = field(init=False)  # (h, w, Cin) with values that training never had
    _nearest: tuple[bytes, NDArray[np.intp]] | None = None

    def __post_init__(self) -> None:
        self.missing_cells = np.zeros(self.known.valid.shape[:2], bool)
        self.surplus = np.zeros_like(self.known.valid)

    @classmethod
    def of(cls, spec: ModelSpec) -> Gaps | None:
        """The gaps of a model's inputs; None for models that do not know what training had."""
        stored = spec.domain.get("inputs")
        if stored is None:
            return None
        names = tuple(channel.name for channel in spec.inputs)
        return cls(names, KnownInputs.from_dict(stored), Geometry.from_dict(spec.geometry))

    def closed(self, coarse: NDArray[np.float32]) -> tuple[NDArray[np.float32], Mask]:
        """Inputs (n, h, w, Cin) to predict from, and coarse cells (n, h, w) to leave missing."""
        valid = np.isfinite(coarse)
        surplus = valid & ~self.known.valid
        if surplus.any():
            self.surplus |= surplus.any(axis=0)
            coarse, valid = np.where(surplus, np.float32(np.nan), coarse), valid & ~surplus
        lacking = self.known.valid & ~valid
        missing = lacking.any(axis=-1)
        if not missing.any():
            return coarse, missing
        coarse = coarse.copy()
        for row, channel in zip(*np.nonzero(lacking.any(axis=(1, 2))), strict=True):
            gap, there = lacking[row, ..., channel], valid[row, ..., channel]
            if there.any():
                source = self._nearest_valid(there)[gap]
                coarse[row, ..., channel][gap] = coarse[row, ..., channel].ravel()[source]
        return coarse, missing

    def counted(self, missing: Mask) -> None:
        """Count coarse cells (n, h, w) that are left missing at times not counted before."""
        inner = missing & self.geometry.inner
        self.missing_cells |= inner.any(axis=0)
        self.missing_values += int(inner.sum())
        self.cells_seen += len(missing) * int(self.geometry.inner.sum())

    def left_missing(self, fields: NDArray[np.float32], missing: Mask) -> NDArray[np.float32]:
        """Fields (members, ..., y, x, C) without the fine cells of `missing` ones (..., h, w)."""
        if not missing.any():
            return fields
        return np.where(self.geometry.fine_cells(missing)[..., None], np.float32(np.nan), fields)

    def report(self, communicator: Communicator) -> None:
        """A line for what was left missing, and one for inputs that training never had."""
        counts = (self.missing_cells, self.surplus, self.missing_values, self.cells_seen)
        cells, surplus, values, seen = zip(*communicator.gather(counts), strict=True)
        if not communicator.ranks.first:
            return
        missing, total = int(np.any(cells, axis=0).sum()), int(self.geometry.inner.sum())
        if missing:
            logging.warning(
                "%d of %d coarse cells of the input (%.3g %%) are missing at some or all times "
                "(%.3g %% of all values); their fine cells are left missing",
                *(missing, total, 100 * missing / total, 100 * sum(values) / max(1, sum(seen))),
            )
        beyond = np.any(surplus, axis=0).sum(axis=(0, 1))
        for name, count in zip(self.names, beyond, strict=True):
            if count:
                logging.warning(
                    "%s has values in %d coarse cells where training never had any; they are taken "
                    "as missing, as in training",
                    *(name, count),
                )

    def _nearest_valid(self, valid: Mask) -> NDArray[np.intp]:
        """For every cell, the flat index of the nearest valid one; gaps often stay the same."""
        key = np.packbits(valid).tobytes()
        if self._nearest is None or self._nearest[0] != key:
            rows, columns = distance_transform_edt(
                ~valid, return_distances=False, return_indices=True
            )
            self._nearest = (key, np.ravel_multi_index((rows, columns), valid.shape))
        return self._nearest[1]


@dataclass(eq=False)
class GuideGaps:
    """Gaps of the guidance of known frames: what is filled in there is missing, and counted.

    known: of outputs, then guidance, (y, x, C + G); outputs: how many are outputs.
    """

    known: KnownInputs
    outputs: int
    missing_cells: Mask = field(init=False)

    def __post_init__(self) -> None:
        self.missing_cells = np.zeros(self.known.valid.shape[:2], bool)

    @classmethod
    def of(cls, spec: TemporalSpec) -> GuideGaps | None:
        """The gaps of a model's guidance; None without any, or where nothing is known of it."""
        stored = spec.domain.get("inputs")
        if stored is None or not spec.guidance:
            return None
        return cls(KnownInputs.from_dict(stored), len(spec.outputs))

    def closed(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Frames (n, 4, y, x, C + G): outputs are missing where a guide is that training had.

        Guidance that training never had is missing now too.
        """
        guides, known = frames[..., self.outputs :], self.known.valid[..., self.outputs :]
        guides = np.where(known, guides, np.float32(np.nan))
        lacking = (known & np.isnan(guides)).any(axis=-1)
        absent = np.isnan(frames[..., : self.outputs]).all(axis=(2, 3, 4))
        lacking[absent] = False  # frames that are not there at all
        self.missing_cells |= lacking[:, 1:3].any(axis=(0, 1))
        fields = np.where(lacking[..., None], np.float32(np.nan), frames[..., : self.outputs])
        return np.concatenate([fields, guides], axis=-1)

    def report(self, communicator: Communicator) -> None:
        """A line for what was left missing."""
        found = np.any(communicator.gather(self.missing_cells), axis=0)
        if found.any() and communicator.ranks.first:
            logging.warning(
                "%d of %d cells of the guidance (%.3g %%) are missing at some or all times; what "
                "is filled in there is left missing",
                *(found.sum(), found.size, 100 * found.mean()),
            )
