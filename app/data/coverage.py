"""Whether an input covers what is made of it: refused, or left missing where it does not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from absl import logging
from numpy.typing import NDArray

from app.errors import InputError
from app.grids import Geometry, Grid
from app.grids.coverage import filled_by_the_edge, shortfall
from app.grids.regrid import Regridder


@dataclass(frozen=True)
class Covering:
    """What is done where an input ends: `policy` refuse or mask, and whom messages name."""

    where: str
    policy: str = "refuse"

    def coarse(
        self, regrid: Regridder, source: Grid, geometry: Geometry
    ) -> tuple[Regridder, NDArray[np.bool_]]:
        """The regridder to coarse cells, and the fine cells (y, x) of those left missing.

        The halo is context: its cells outside take the values of the nearest cells inside.
        Raises InputError where a coarse cell of the target lies outside, unless masked.
        """
        inner, outside = geometry.inner, ~regrid.covered
        self._judge(outside & inner, inner, "coarse", source, geometry.coarse, geometry.fine)
        beyond = outside & ~inner
        if beyond.any():
            logging.info(
                "%s: %d of %d coarse cells of the halo lie outside it and take the values of its "
                "edge",
                self.where,
                beyond.sum(),
                (~inner).sum(),
            )
        return filled_by_the_edge(regrid, beyond), geometry.fine_cells(outside & inner)

    def fine(self, regrid: Regridder, source: Grid, target: Grid) -> NDArray[np.bool_]:
        """The fine cells (y, x) that are left missing; InputError where any are, unless masked."""
        outside = ~regrid.covered
        self._judge(outside, np.ones_like(outside), "fine", source, target, target)
        return outside

    def _judge(
        self,
        outside: NDArray[np.bool_],
        cells: NDArray[np.bool_],
        kind: str,
        source: Grid,
        target: Grid,
        needed: Grid,
    ) -> None:
        if not outside.any():
            return
        count, total = int(outside.sum()), int(cells.sum())
        found = (
            f"{self.where}: {_percent(count / total)} of the {kind} cells ({count} of {total}) lie "
            f"outside it: {shortfall(source, target, outside, needed)}"
        )
        if self.policy == "refuse":
            raise InputError(
                f"{found}; expected a file that covers {needed.extent()}, or --uncovered=mask"
            )
        logging.warning("%s; they are left missing", found)


def _percent(share: float) -> str:
    """Whole percents, and smaller shares by their first digits."""
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.1g} %"
