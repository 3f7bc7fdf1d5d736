"""The test period as a reader may look at it: fields by name at any of its times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from app.arrays import Array
from app.data.description import Variable
from app.data.times import Stamps
from app.grids import Grid
from app.metrics.ground import NO_GROUND, Ground

if TYPE_CHECKING:
    from app.data.contract import PreparedData
    from app.metrics.prediction import Prediction

TEST = "test"  # the split that is shown
TRUTH, PREDICTION = "truth", "prediction"
Read = Callable[[Array], dict[str, Array]]  # rows → by name fields (n, y, x, C)


@dataclass(frozen=True, eq=False)
class Record:
    """Fields on one grid.

    read: from rows of the times to fields (n, y, x, C) by name, in the order in which they are
    shown; the prediction among them, NaN throughout where a predictand has none of a kind.
    spread: from rows to layers (L, n, y, x, C) about the prediction, members or quantiles by their
    names in `layers`; none of them where there is one field. scored: (n,) which times are no
    input of the model.
    """

    variables: tuple[Variable, ...]
    grid: Grid
    stamps: Stamps
    read: Read
    layers: tuple[str, ...] = ()
    spread: Callable[[Array], Array] | None = None
    scored: Array | None = None
    ground: Ground = NO_GROUND

    @property
    def judged(self) -> Array:
        """Rows of the times that are scored."""
        if self.scored is None:
            return np.arange(len(self.stamps))
        return np.flatnonzero(self.scored)


def record_of(data: PreparedData, prediction: Prediction, *, with_coarse: bool) -> Record:
    """The test period of fields in space; with_coarse: the low resolution has physical values."""
    from app.baselines.interpolation import nearest

    coarse = nearest(data) if with_coarse else None

    def read(rows: Array) -> dict[str, Array]:
        fields = {TRUTH: data.read("hr", TEST, rows)}
        if coarse is not None:
            fields["low resolution"] = coarse.predict(rows, TEST)
        return {**fields, PREDICTION: prediction.read(rows)}

    several = prediction.members > 1 or bool(prediction.quantiles)
    members = [f"member {number}" for number in range(1, prediction.members + 1)]
    levels = [f"quantile {level:g}" for level in prediction.quantiles]
    return Record(
        data.predictands,
        data.geometry.fine,
        Stamps.of(data.times(TEST)),
        read,
        tuple(levels or members) if several else (),
        prediction.read_layers if several else None,
        ground=Ground.of(data.variables.get("static", ()), data.static),
    )
