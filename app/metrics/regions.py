"""Regions of the fine grid that the user names, to be scored one by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from app.arrays import Array
from app.errors import InputError, one_line
from app.grids import detect_grid, same_grid, to_canonical
from app.metrics import shapes

if TYPE_CHECKING:
    from app.grids import Grid

MOST = 200  # regions; more are a field, not a mask


@dataclass(frozen=True, eq=False)
class Regions:
    """Names and masks (y, x) of regions."""

    masks: dict[str, Array] = field(default_factory=dict)

    @classmethod
    def read(cls, named: str, grid: Grid) -> Regions:
        """Of FILE:VARIABLE, whole numbers on the grid; 0 and missing are outside of all regions.

        Names are those of `flag_values` and `flag_meanings`, else the numbers. Of shape files and
        GeoJSON FILE:ATTRIBUTE, whose values are the names of the polygons.
        Raises InputError where the file does not fit.
        """
        text, _, name = named.rpartition(":")
        path, where = Path(text).expanduser(), f"--regions={named}"
        if path.suffix.lower() in shapes.ENDINGS:
            return cls(_few(shapes.masks_of(path, name, grid, where), where))
        return cls(cls._of_mask(path, name, grid, where))

    @staticmethod
    def _of_mask(path: Path, name: str, grid: Grid, where: str) -> dict[str, Array]:
        try:
            with xr.open_dataset(path) as opened:
                dataset = opened.load()
        except (OSError, ValueError) as error:
            raise InputError(f"{where}: {path} cannot be opened ({one_line(error)})") from error
        if name not in dataset:
            found = ", ".join(map(str, dataset.data_vars)) or "none"
            raise InputError(f"{where}: no variable {name!r}, found {found}")
        own = detect_grid(dataset[[name]], where)[0]
        if not same_grid(own, grid):
            raise InputError(
                f"{where}: another grid, {own.shape}, {own.extent()}; expected that of the truth, "
                f"{grid.shape}, {grid.extent()}"
            )
        numbers = to_canonical(dataset[name].astype(np.float64), own).values.squeeze()
        if numbers.shape != grid.shape:
            raise InputError(f"{where}: shape {numbers.shape}, expected {grid.shape}")
        return _masks(numbers, _names(dataset[name]), where)


def _few(masks: dict[str, Array], where: str) -> dict[str, Array]:
    if len(masks) > MOST:
        raise InputError(f"{where}: {len(masks)} regions, expected at most {MOST}")
    return masks


def _names(variable: xr.DataArray) -> dict[int, str]:
    meanings = str(variable.attrs.get("flag_meanings", "")).split()
    values = np.atleast_1d(variable.attrs.get("flag_values", np.arange(1, len(meanings) + 1)))
    return dict(zip(map(int, values), meanings, strict=False))


def _masks(numbers: Array, names: dict[int, str], where: str) -> dict[str, Array]:
    held = np.unique(numbers[np.isfinite(numbers)])
    if (held != np.round(held)).any() or len(held) > MOST:
        raise InputError(f"{where}: expected at most {MOST} whole numbers, one a region")
    masks = {
        names.get(int(number), f"{int(number)}"): numbers == number for number in held if number
    }
    if not masks:
        raise InputError(f"{where}: 0 or missing everywhere; expected numbers from 1 on")
    return masks


NO_REGIONS = Regions()
