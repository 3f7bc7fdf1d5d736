"""Variables within the groups of a NetCDF-4 or HDF5 file, or of a Zarr store."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import netCDF4
import xarray as xr

from app.data.reading.containers import NETCDF, ZARR, engine_of
from app.data.reading.files import open_groups
from app.data.reading.paths import REMOTE
from app.errors import InputError

SHOWN = 12  # names of variables in a message


def dataset_with(root: xr.Dataset, name: str, path: str) -> xr.Dataset:
    """The dataset that has a variable: the file's root, or the one group that has it.

    `name` may be a path, such as Grid/precipitation. A group comes with the dimensions and
    coordinates of those that it lies in. The root, where no group has it. InputError where
    several groups do.
    """
    if name in root.variables or REMOTE in path or not _has_groups(path):
        return root
    groups = open_groups(path)
    wanted, _, plain = name.rpartition("/")
    found = [
        group
        for group, dataset in groups.items()
        if plain in dataset.variables and wanted.strip("/") in ("", group.strip("/"))
    ]
    if not found:
        _refuse_unknown(root, groups, name, path)
        return root
    if len(found) > 1:
        there = ", ".join(f"{group}/{plain}".strip("/") for group in found)
        raise InputError(f"{path}: {name} is in several groups; expected one of {there}")
    return _inherited(groups, found[0]).rename({plain: name} if plain != name else {})


def variables_in(root: xr.Dataset, path: str, wanted: Collection[str]) -> dict[str, xr.DataArray]:
    """Variables of a file by name; of all its groups, where the root has none.

    Names with the path of a group are there where they are `wanted`.
    """
    if root.data_vars or REMOTE in path or not _has_groups(path):
        return {str(name): root[name] for name in root.variables}
    found: dict[str, xr.DataArray] = {}
    for group, dataset in open_groups(path).items():
        for name, field in dataset.data_vars.items():
            found.setdefault(str(name), field)
            if (whole := f"{group}/{name}".strip("/")) in wanted:
                found[whole] = field
    return found


def _has_groups(path: str) -> bool:
    engine = engine_of(path, None)
    if engine == ZARR:
        import zarr

        return Path(path).is_dir() and any(True for _ in zarr.open_group(path, mode="r").groups())
    if engine != NETCDF:
        return False
    with netCDF4.Dataset(path) as file:
        return bool(file.groups)


def _refuse_unknown(root: xr.Dataset, groups: dict[str, xr.Dataset], name: str, path: str) -> None:
    """InputError that lists what is in groups, where the root has nothing to list."""
    within = [f"{g}/{v}".strip("/") for g, dataset in groups.items() for v in dataset.data_vars]
    if within and not root.data_vars:
        more = f", … ({len(within)} in all)" if len(within) > SHOWN else ""
        raise InputError(
            f"{path}: no variable {name!r}; in its groups are: {', '.join(within[:SHOWN])}{more}"
        )


def _inherited(groups: dict[str, xr.Dataset], name: str) -> xr.Dataset:
    """A group with those variables of the groups around it that lie along its dimensions."""
    dataset = groups[name]
    while name != "/":
        name = name.rpartition("/")[0] or "/"
        outer = groups.get(name, xr.Dataset())
        fitting = {
            key: variable
            for key, variable in outer.variables.items()
            if key not in dataset.variables
            and all(dataset.sizes.get(d) == outer.sizes[d] for d in variable.dims)
        }
        dataset = dataset.assign_coords(fitting)
    return dataset
