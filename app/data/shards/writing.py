"""From a plan to shard files: one (split, number) at a time, in blocks of bounded size."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr

from app.arrays import Array, Json
from app.data.cf_attributes import attributes_of
from app.data.description import Variable
from app.data.shards.field_file import PREPARED, FieldWriter, name_in_file
from app.data.shards.files import offsets, seal
from app.data.shards.plan import Plan
from app.data.transforms import ScalingFit, forward_all
from app.grids import Grid
from app.running.disk_space import writing
from app.running.netcdf_file import CONVENTIONS, TIME, write_dataset

SHARD_BYTES = 256 << 20
MOST_SHARDS = 8  # per split: more would only be more files
BLOCK_BYTES = 64 << 20  # read and written at once
FIT_BYTES = 8 << 20  # added to the statistics at once, there in float64
FITTED = ("hr", "lr", "predictors")
DATA = "data"  # in the work folder, beside claims and reports; becomes the final folder


@dataclass(frozen=True)
class Task:
    """Shard `number` of `count` of a split: rows `first` up to `end`."""

    split: str
    number: int
    count: int
    first: int
    end: int

    @property
    def name(self) -> str:
        return f"{self.split}-{self.number:05d}"

    def file(self, role: str) -> str:
        """Path below the cache folder."""
        return f"{self.split}/{role}-{self.number:05d}-of-{self.count:05d}.nc"


def tasks_of(plan: Plan) -> list[Task]:
    """All shards; their number depends on the data alone, not on how many ranks write them."""
    rows, columns = plan.geometry.fine_shape
    row_bytes = 4 * rows * columns * len(plan.variables["hr"])
    tasks = []
    for split, part in plan.splits.items():
        n = len(part.stamps)
        count = min(MOST_SHARDS, n, -(-n * row_bytes // SHARD_BYTES))
        bounds = [n * k // count for k in range(count + 1)]
        tasks += [Task(split, k, count, bounds[k], bounds[k + 1]) for k in range(count)]
    return tasks


def fitted_split(plan: Plan) -> str:
    """Whose statistics scale: the training period's, or the only split's of a module without."""
    return "train" if "train" in plan.splits else next(iter(plan.splits))


def write_task(plan: Plan, task: Task, folder: Path) -> Json:
    """Write one shard of every role below folder/data, and the partial statistics beside it.

    Returns its manifest entries, how many values of each predictand are valid, and what was seen
    of the files' own values.
    """
    part = plan.splits[task.split]
    fitting = task.split == fitted_split(plan)
    fits = {role: ScalingFit(_names(plan.variables[role])) for role in FITTED if fitting}
    valid = np.zeros(len(plan.variables["hr"]), np.int64)
    (folder / DATA / task.split).mkdir(exist_ok=True)
    with ExitStack() as stack:
        writers = {
            role: stack.enter_context(
                FieldWriter.new(
                    folder / DATA / task.file(role),
                    plan.grids[role],
                    part.stamps.take(slice(task.first, task.end)),
                    [_without_words(v) for v in plan.variables[role]],
                )
            )
            for role in plan.roles
        }
        step = max(1, BLOCK_BYTES // plan.row_bytes)
        for start in range(task.first, task.end, step):
            blocks = part.read(np.arange(start, min(start + step, task.end)))
            for role, writer in writers.items():
                writer.write(start - task.first, blocks[role])
            for role, fit in fits.items():
                if role in blocks:
                    _add(fit, blocks[role], plan.variables[role])
            valid += np.isfinite(blocks["hr"]).sum(axis=(1, 2, 3))
    entries = {role: _entry(writer) for role, writer in writers.items()}
    if fitting:
        save_fits(folder / f"{task.name}.npz", fits)
    tallies = [[tally.take().to_dict() for tally in one.tallies] for one in plan.sources]
    return {"entries": entries, "valid": valid.tolist(), "tallies": tallies}


def _entry(writer: FieldWriter) -> Json:
    """Manifest entry of a closed file: size, checksum, and the byte offset of every array."""
    return {"offsets": offsets(writer.path, [TIME, *writer.names]), **seal(writer.path)}


def _names(variables: tuple[Variable, ...]) -> tuple[str, ...]:
    return tuple(variable.name for variable in variables)


def _add(fit: ScalingFit, fields: Array, variables: tuple[Variable, ...]) -> None:
    """Fields (C, n, y, x) to the statistics of transformed values."""
    step = max(1, FIT_BYTES // max(1, fields[:, :1].nbytes))
    for start in range(0, fields.shape[1], step):
        block = np.moveaxis(fields[:, start : start + step], 0, -1)
        fit.add(forward_all(block, variables))


def save_fits(path: Path, fits: dict[str, ScalingFit]) -> None:
    """Partial statistics of one shard."""
    arrays = {f"{role}.{key}": v for role, fit in fits.items() for key, v in fit.state.items()}
    with writing(path, sum(array.nbytes for array in arrays.values())):
        np.savez(path, **arrays)


def merge_fits(paths: list[Path], variables: dict[str, tuple[Variable, ...]]) -> Json:
    """Statistics of all shards, in their order, so that the last bit does not depend on ranks."""
    fits = {role: ScalingFit(_names(variables[role])) for role in FITTED}
    for path in paths:
        with np.load(path) as arrays:
            for role, fit in fits.items():
                partial = ScalingFit()
                partial.state = {
                    key.partition(".")[2]: arrays[key]
                    for key in arrays.files
                    if key.partition(".")[0] == role
                }
                fit.merge(partial)
    return fits


def _without_words(variable: Variable) -> Variable:
    """Without what a file says of it in words, as data stay the same under other words."""
    return replace(variable, long_name=None, cell_methods=None)


def write_static(path: Path, grid: Grid, fields: Array, variables: tuple[Variable, ...]) -> None:
    """Statics (S, y, x) as a CF file."""
    coords = grid.coords(flip=False)
    arrays = {
        name_in_file(variable.name, coords): (
            grid.dims,
            field,
            attributes_of(_without_words(variable)),
        )
        for variable, field in zip(variables, fields, strict=True)
    }
    dataset = xr.Dataset(arrays, coords=coords, attrs={"Conventions": CONVENTIONS, **PREPARED})
    for name in coords:
        dataset[name].encoding["_FillValue"] = None
    write_dataset(dataset, path)
