"""What training, baselines and scores read, wherever the data lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from app.arrays import Array

if TYPE_CHECKING:
    from app.data.description import Variable
    from app.data.times import Stamps
    from app.data.transforms import Scaling
    from app.grids import Geometry, Grid

ALL = slice(None)
Rows: TypeAlias = "Sequence[int] | Array"


class Fields(Protocol):
    """Fields by role and split: what a fit reads.

    Roles: "hr", the target on the fine grid; "lr" and "predictors", the inputs on the coarse grid
    with its halo; "source", the low resolution on a grid of its own. `variables` names the
    channels of each role, and those of the statics.
    Splits: "train", "validation", "test". A sample is one time; each split counts its samples
    from 0 in the order of time. Missing values are NaN.
    Implementations: `Shards`, and `Encoded`, a view of them as a network sees them.
    """

    @property
    def geometry(self) -> Geometry: ...

    @property
    def variables(self) -> Mapping[str, tuple[Variable, ...]]: ...

    @property
    def splits(self) -> tuple[str, ...]: ...

    @property
    def coarse_predictand(self) -> bool:
        """Whether "lr" has fields of the predictands; else it is predictors alone."""

    def size(self, split: str) -> int:
        """Samples of a split."""

    def read(self, role: str, split: str, indices: Rows) -> Array:
        """Samples in any order: `(n, y, x, C)` float32."""

    def harmonics(self, split: str, indices: slice | Array = ALL) -> Array:
        """Sines and cosines of hour and day of year, `(n, 4)` float32."""


class EncodedFields(Fields, Protocol):
    """Fields as a network sees them, with the scaling that makes physical ones of them."""

    @property
    def scaling(self) -> Mapping[str, Scaling]: ...


class PreparedData(Fields, Protocol):
    """The whole of prepared data: fields in physical units, times, gaps, statics and scaling.

    explicit: whether the low resolution is another source than the coarsened target; it then lies
    on `source_grid`. has_times: False for arrays whose times are made up.
    scaling: offset and scale by role, fitted on the training period.
    static: `(y, x, S)` on the fine grid; padded_static: the same on the padded grid.
    Implementations: `Shards`, a fold of theirs left out or not; tests hold theirs in memory.
    """

    @property
    def predictands(self) -> tuple[Variable, ...]:
        """Channels of "hr", within the limits that predictions keep."""

    @property
    def source_grid(self) -> Grid | None: ...

    @property
    def explicit(self) -> bool: ...

    @property
    def has_times(self) -> bool: ...

    @property
    def scaling(self) -> Mapping[str, Scaling]: ...

    @property
    def static(self) -> Array: ...

    @property
    def padded_static(self) -> Array: ...

    def stamps(self, split: str) -> Stamps:
        """Times of a split in seconds and calendar. InputError for a split there is none of."""

    def times(self, split: str) -> Array:
        """Times of a split: `(n,)` datetime64[ns], or cftime objects for other calendars."""

    def segments(self, split: str) -> Array:
        """For each sample the number of the gapless stretch of time it belongs to: `(n,)`."""

    def step(self, split: str) -> int:
        """The regular step between samples, in seconds."""

    def time_features(self, split: str, indices: slice | Array = ALL) -> Array:
        """Features of the time that a network may see, `(n, 8)` float32; zeros without times."""

    def shape(self, role: str, split: str | None = None) -> tuple[int, int, int]:
        """`(y, x, C)` of a role's fields."""

    def read_into(
        self,
        out: Array,
        role: str,
        split: str,
        indices: Rows,
        windows: Sequence[tuple[slice, slice]] | None = None,
    ) -> None:
        """Samples into `out` `(n, y, x, C)`, each whole or its own window of rows and columns."""

    def series(self, role: str, split: str, rows: slice) -> Array:
        """All times of some grid rows: `(n, rows, x, C)`."""

    def check_files(self) -> None:
        """InputError if a file that is read from has vanished or changed its size."""

    def confirm(self) -> None:
        """Wait until all checksums are compared; Damage where the content has changed."""
