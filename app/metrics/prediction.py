"""Opening a prediction and laying it on the truth's times and grid."""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from absl import logging

from app.arrays import Array
from app.data.times import Stamps
from app.errors import InputError, one_line
from app.grids import detect_grid, difference, same_grid, to_canonical

if TYPE_CHECKING:
    from app.data.description import Variable
    from app.data.shards.scored import Compared
    from app.grids import Grid

MEMBER = "member"  # dimension
QUANTILE = "quantile"  # dimension
MEDIAN = 0.5
NEAR_MEDIAN = 0.1  # from it, beyond which a quantile is no field of the middle


class Prediction(ABC):
    """Fields of a prediction in the program's own orientation, at the truth's times.

    where: what messages call it. members: of its ensemble, 1 without one. quantiles: levels that
    it has, rising; none where it has members, or single fields.
    """

    where: str
    members: int
    quantiles: tuple[float, ...]

    @abstractmethod
    def read_layers(self, indices: Array) -> Array:
        """Members' or quantiles' fields (L, n, y, x, C) float32 of the given truth samples."""

    def read(self, indices: Array) -> Array:
        """Fields (n, y, x, C) float32 of the given truth samples; see `field_of`."""
        return self.field_of(self.read_layers(indices))

    @property
    def central(self) -> int:
        """Which of the quantiles is nearest to the median; of two, the lower one."""
        return int(np.abs(np.array(self.quantiles) - MEDIAN).argmin())

    def field_of(self, layers: Array) -> Array:
        """The one field (…) that stands for layers (L, …): the mean member, or the median."""
        return layers[self.central] if self.quantiles else mean_member(layers)

    def remarks(self) -> list[str]:
        """What stands for the field, and what a central interval should hold."""
        if self.members > 1:
            return [
                f"model: mean of {self.members} members, valid where all are; crps, spread_skill"
                " and reliability_index are of the members, spectra, wet_frequency and p99_bias"
                " means of theirs"
            ]
        levels = self.quantiles
        if not levels:
            return []
        line = f"model: the quantile {levels[self.central]:g}, nearest to the median, as a field"
        if len(levels) > 1:
            line += (
                f"; the central interval from {levels[0]:g} to {levels[-1]:g} should cover"
                f" {levels[-1] - levels[0]:.4g}"
            )
        return [line]

    @abstractmethod
    def close(self) -> None:
        """Close what was opened."""


class FilePrediction(Prediction):
    """A prediction of opened files, laid on the truth's cells already."""

    def __init__(self, compared: Compared) -> None:
        self.where, self.quantiles = compared.where, compared.quantiles
        self._fields = compared.fields
        self.members = 1 if self.quantiles else len(self._fields)
        if self.quantiles and abs(self.quantiles[self.central] - MEDIAN) > NEAR_MEDIAN:
            logging.warning(
                "%s has no quantile near the median: that of %g is scored as the field",
                *(self.where, self.quantiles[self.central]),
            )

    def read_layers(self, indices: Array) -> Array:
        layers = [np.stack([one.read(indices) for one in own], axis=-1) for own in self._fields]
        return np.stack(layers)

    def close(self) -> None:
        """The files close by themselves."""


class DatasetPrediction(Prediction):
    """A dataset, or a file as `test` writes it, read lazily.

    Raises InputError where a variable, a time or the grid does not match.
    """

    def __init__(
        self,
        source: str | Path | xr.Dataset,
        variables: tuple[Variable, ...],
        grid: Grid,
        times: Array,
    ) -> None:
        self._opened = not isinstance(source, xr.Dataset)
        self.where = "the prediction" if isinstance(source, xr.Dataset) else str(source)
        self._dataset = source if isinstance(source, xr.Dataset) else _open(source)
        self._fields = [self._field(variable.name, grid) for variable in variables]
        self._positions = self._match(times)
        self.members = self._count_members()
        self.quantiles = self._levels()

    def _field(self, name: str, grid: Grid) -> xr.DataArray:
        """The variable as (…, y, x) on exactly the truth's cells."""
        if name not in self._dataset:
            found = ", ".join(map(str, self._dataset.data_vars)) or "none"
            raise InputError(f"{self.where}: no variable {name!r}, found {found}")
        own = detect_grid(self._dataset[[name]], self.where)[0]
        if not same_grid(own, grid):
            raise InputError(
                f"{self.where}: {name} lies on another grid than the truth: {difference(own, grid)}"
            )
        return to_canonical(self._dataset[name], own)

    def _count_members(self) -> int:
        """Members of every predictand; one where there is no such dimension."""
        sizes = {str(field.name): field.sizes.get(MEMBER, 1) for field in self._fields}
        if len(set(sizes.values())) > 1:
            found = ", ".join(f"{name} {size}" for name, size in sizes.items())
            raise InputError(
                f"{self.where}: expected as many members of every predictand, found {found}"
            )
        return next(iter(sizes.values()))

    def _levels(self) -> tuple[float, ...]:
        """Levels of the quantiles, rising; none where there is no such dimension."""
        having = [field for field in self._fields if QUANTILE in field.dims]
        if not having:
            return ()
        levels = tuple(self._dataset[QUANTILE].values.tolist())
        rising = all(a < b for a, b in pairwise((0.0, *levels, 1.0)))
        if len(having) < len(self._fields) or self.members > 1 or not rising:
            raise InputError(
                f"{self.where}: expected quantiles of every predictand, rising between 0 and 1, "
                f"without members; found levels {', '.join(f'{level:g}' for level in levels)} of "
                f"{', '.join(str(field.name) for field in having)}"
            )
        return levels

    def _match(self, times: Array) -> Array:
        """Position of each wanted time in the file."""
        if "time" not in self._dataset.coords:
            raise InputError(f"{self.where}: no time coordinate")
        stored, wanted = Stamps.of(self._dataset["time"].values), Stamps.of(times)
        if len(stored) and stored.calendar != wanted.calendar:
            raise InputError(
                f"{self.where}: calendar {stored.calendar}, expected {wanted.calendar}"
            )
        where = {second: i for i, second in enumerate(stored.seconds.tolist())}
        missing = [i for i, second in enumerate(wanted.seconds.tolist()) if second not in where]
        if missing:
            raise InputError(
                f"{self.where}: {len(missing)} of {len(wanted)} times of the truth are missing, "
                f"the first {wanted.text(missing[0])}"
            )
        return np.array([where[second] for second in wanted.seconds.tolist()])

    def read_layers(self, indices: Array) -> Array:
        leading = QUANTILE if self.quantiles else MEMBER
        positions = self._positions[indices]
        first, last = int(positions.min()), int(positions.max())
        channels = []
        for field in self._fields:
            # one contiguous slab is read far faster than a list of times
            block = field.isel(time=slice(first, last + 1)).isel(time=positions - first)
            if leading not in block.dims:
                block = block.expand_dims(leading)
            channels.append(block.transpose(leading, "time", ...).values)
        result: Array = np.stack(channels, axis=-1).astype(np.float32, copy=False)
        return result

    def close(self) -> None:
        """Close the file if it was opened here."""
        if self._opened:
            self._dataset.close()


def mean_member(members: Array) -> Array:
    """Mean (…) float32 of members (M, …), NaN where any member is."""
    if len(members) == 1:
        result: Array = members[0]
        return result
    result = members.mean(axis=0, dtype=np.float64).astype(np.float32)
    return result


def _open(path: str | Path) -> xr.Dataset:
    if not Path(path).exists():
        raise InputError(f"{path}: no such prediction; expected a NetCDF file as `test` writes it")
    try:
        # named, as a guess would import every engine that is installed
        return xr.open_dataset(path, engine="netcdf4")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a prediction ({one_line(error)})") from error
