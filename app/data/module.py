"""Data modules: Python files whose variables are the arrays, already scaled by their author."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import xarray as xr

from app.arrays import Array, Json
from app.errors import InputError

MODULE_NAME = "finescale_data_module"
# Names in the module by split: predictand, low resolution, predictors.
NAMES = {
    "train": ("data_train", "data_train_lr", "predictors_train"),
    "validation": ("data_val", "data_val_lr", "predictors_val"),
    "test": ("data_test", "data_test_lr", "predictors_test"),
}


@dataclass(frozen=True, eq=False)
class ModuleSplit:
    """Arrays of one split, channels last: hr (n, y, x, C), lr and predictors (n, h, w, C).

    `inputs_fine` tells that `lr` lies on the fine grid and is still to be coarsened; without
    `lr`, hr is coarsened.
    """

    hr: Array
    lr: Array | None
    predictors: tuple[Array, ...]
    inputs_fine: bool = False
    names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class ModuleData:
    """What a data module holds, checked; `truth` is the physical truth of the test period."""

    path: Path
    explicit: bool
    splits: dict[str, ModuleSplit]
    static: tuple[Array, ...]
    truth: xr.DataArray | None = None
    mask: Array | None = None
    scaler: Any = None

    def undo(self, array: Array) -> Array:
        """Scaled values in physical units again, by the module's own inference_scaler."""
        if self.scaler is None:
            return array
        return np.asarray(self.scaler.inverse_transform(array))

    def arrays(self) -> dict[str, Array]:
        """Everything that decides what the shards hold, for the fingerprint."""
        found = {f"static{i}": values for i, values in enumerate(self.static)}
        for name, split in self.splits.items():
            found[f"{name}.hr"] = split.hr
            if split.lr is not None:
                found[f"{name}.lr"] = split.lr
            found |= {f"{name}.predictor{i}": p for i, p in enumerate(split.predictors)}
        if self.mask is not None:
            found["mask"] = self.mask
        if self.truth is not None:
            found["truth"] = self.truth.values
            found |= {f"truth.{name}": c.values for name, c in self.truth.coords.items()}
        return found


def load_module(
    path: str | Path,
    *,
    explicit: bool = False,
    inference_in_hr: bool = False,
    needs: Sequence[str] = (),
) -> ModuleData:
    """Run a data module and check its arrays; `needs` are the splits it must have.

    InputError, in one line: no Python file, an exception in it (with its line), a name that is
    missing, arrays that do not fit each other.
    """
    path = Path(path).expanduser()
    names = _Names(path, vars(_run(path)))
    for split in needs:
        _require(names, split, explicit)
    splits = {}
    for split in ("train", "validation"):
        if names.has(NAMES[split][0]):
            splits[split] = _training_split(names, split, explicit)
    if names.has("inference_data") or names.has("data_test"):
        splits["test"] = _test_split(names, explicit, inference_in_hr)
    if "train" not in splits and "test" not in splits:
        raise InputError(f"{path}: expected data_train and data_val, or inference_data")
    data = ModuleData(
        path=path,
        explicit=explicit,
        splits=splits,
        static=tuple(names.static()),
        truth=names.truth(),
        mask=None if not names.has("gt_mask") else np.asarray(names.values["gt_mask"]),
        scaler=names.values.get("inference_scaler"),
    )
    check(data)
    return data


def _run(path: Path) -> ModuleType:
    """Execute the file with its folder importable, as a script has it."""
    if path.suffix != ".py" or not path.is_file():
        problem = "no such file" if path.suffix == ".py" else "not a Python file (.py)"
        raise InputError(f"--data_module={path}: {problem}")
    spec = importlib.util.spec_from_file_location(MODULE_NAME, path)
    if spec is None or spec.loader is None:
        raise InputError(f"--data_module={path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    sys.modules[MODULE_NAME] = module
    compiled, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # no files beside the data
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InputError(_failure(path, error)) from error
    finally:
        sys.dont_write_bytecode = compiled
        sys.modules.pop(MODULE_NAME, None)
        if folder in sys.path:
            sys.path.remove(folder)
    return module


def _failure(path: Path, error: BaseException) -> str:
    """The line of the user's module, the last in the traceback, that led to the error."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == str(path)
    ]
    line = error.lineno if isinstance(error, SyntaxError) else (lines[-1] if lines else None)
    text = " ".join(str(error).split())
    return f"--data_module={path}, line {line}: {type(error).__name__}: {text}"


def _require(names: _Names, split: str, explicit: bool) -> None:
    wanted: list[tuple[str, ...]]
    if split == "test":
        wanted = [("inference_data", "data_test_lr" if explicit else "data_test")]
    else:
        wanted = [(n,) for s in ("train", "validation") for n in NAMES[s][: 1 + explicit]]
    for choices in wanted:
        if not any(names.has(name) for name in choices):
            raise InputError(f"{names.path}: {' or '.join(choices)} is missing, needed to {split}")


def _training_split(names: _Names, split: str, explicit: bool) -> ModuleSplit:
    fine, coarse, predictors = NAMES[split]
    if explicit and not names.has(coarse):
        raise InputError(f"{names.path}: {coarse} is missing, needed for explicit pairs")
    lr = names.array(coarse) if explicit else None
    return ModuleSplit(names.array(fine), lr, names.listed(predictors), False, NAMES[split])


def _test_split(names: _Names, explicit: bool, inference_in_hr: bool) -> ModuleSplit:
    """Inputs from inference_data; without it from the test arrays."""
    predictors = "inference_predictors"
    if not names.has(predictors):
        predictors = "predictors_test"
    own = "data_test_lr" if explicit else "data_test"
    name = "inference_data" if names.has("inference_data") else own
    if not names.has(name):
        raise InputError(f"{names.path}: inference_data or {own} is missing, needed to test")
    inputs = names.array(name)
    in_hr = name == "data_test" or (inference_in_hr and name == "inference_data")
    truth = names.truth()
    if truth is not None:
        hr = _channelled(truth.values, f"{names.path}: gt_holdout_dataset", 3)
    elif names.has("data_test"):
        hr = names.array("data_test")
    elif in_hr:
        hr = inputs
    else:
        raise InputError(f"{names.path}: gt_holdout_dataset or data_test is missing, the truth")
    labels = ("gt_holdout_dataset" if truth is not None else "data_test", name, predictors)
    return ModuleSplit(hr, inputs, names.listed(predictors), in_hr, labels)


class _Names:
    """The module's variables, as arrays."""

    def __init__(self, path: Path, values: Json) -> None:
        self.path, self.values = path, values

    def has(self, name: str) -> bool:
        return self.values.get(name) is not None

    def array(self, name: str) -> Array:
        """(n, y, x, C) float32."""
        return _channelled(self.values[name], f"{self.path}: {name}", 3)

    def listed(self, name: str) -> tuple[Array, ...]:
        """A list of arrays (n, y, x, 1); none where the name is None or missing."""
        if not self.has(name):
            return ()
        values = self.values[name]
        if not isinstance(values, list | tuple):
            raise InputError(f"{self.path}: {name} is a {type(values).__name__}, expected a list")
        where = f"{self.path}: {name}"
        return tuple(_channelled(v, f"{where}[{i}]", 3) for i, v in enumerate(values))

    def static(self) -> list[Array]:
        """Fields (y, x, 1) of static_vars."""
        if not self.has("static_vars"):
            return []
        values = self.values["static_vars"]
        if not isinstance(values, list | tuple):
            values = [values]
        return [_channelled(v, f"{self.path}: static_vars[{i}]", 2) for i, v in enumerate(values)]

    def truth(self) -> xr.DataArray | None:
        if not self.has("gt_holdout_dataset"):
            return None
        truth = self.values["gt_holdout_dataset"]
        if isinstance(truth, xr.Dataset) and len(truth.data_vars) == 1:
            truth = truth[next(iter(truth.data_vars))]
        if isinstance(truth, xr.DataArray) and truth.ndim > 3:
            truth = truth.squeeze()
        if not isinstance(truth, xr.DataArray) or truth.ndim != 3:
            raise InputError(
                f"{self.path}: gt_holdout_dataset is {type(truth).__name__}"
                f"{getattr(truth, 'dims', '')}, expected a DataArray with time, lat and lon"
            )
        return truth


def _channelled(values: Any, where: str, ndim: int) -> Array:
    """float32 with a channel axis at the end; `ndim` counts the axes without it."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub" or array.ndim not in (ndim, ndim + 1) or not array.size:
        wanted = "(n, lat, lon) or (n, lat, lon, channel)" if ndim == 3 else "(lat, lon)"
        raise InputError(
            f"{where}: expected numbers of shape {wanted}, received {array.dtype} {array.shape}"
        )
    array = array.astype(np.float32, copy=False)
    return array if array.ndim == ndim + 1 else array[..., None]


def check(data: ModuleData) -> None:
    """InputError for the first arrays whose shapes contradict each other."""
    first_name, first = next(iter(data.splits.items()))
    for split in data.splits.values():
        fine, coarse, predictors = split.names
        _same(data, fine, split.hr.shape[1:], first.names[0], first.hr.shape[1:])
        if split.lr is not None:
            _same(data, f"samples of {coarse}", len(split.lr), f"those of {fine}", len(split.hr))
        _same(
            data,
            f"the number of arrays in {predictors}",
            len(split.predictors),
            f"that in {first.names[2]} ({first_name})",
            len(first.predictors),
        )
        for i, values in enumerate(split.predictors):
            name = f"{predictors}[{i}]"
            _same(data, f"samples of {name}", len(values), f"those of {fine}", len(split.hr))
            other = first.predictors[i].shape[1:]
            _same(data, name, values.shape[1:], f"{first.names[2]}[{i}]", other)
    shape = first.hr.shape[1:3]
    for i, static in enumerate(data.static):
        _same(data, f"static_vars[{i}]", static.shape[:2], "the predictand", shape)
    if data.mask is not None:
        _same(data, "gt_mask", data.mask.squeeze().shape, "the predictand", shape)


def _same(data: ModuleData, what: str, received: Any, other: str, expected: Any) -> None:
    if received != expected:
        raise InputError(f"{data.path}: {what}: {received}, expected {expected} as in {other}")
