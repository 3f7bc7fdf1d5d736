"""Whether a submission would be accepted: a line for whatever would not.

Each line says what is wrong, where, what was received and what is expected. Nothing here imports
TensorFlow.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from app.arrays import Array
from app.cordex import protocol
from app.cordex.template import (
    TIME,
    TOLERANCE,
    Coordinate,
    Template,
    attributes_of,
    opened,
    read_template,
    same,
    stamps_of,
)
from app.cordex.tree import TestFile, Tree
from app.errors import InputError, one_line

BLOCK_VALUES = 2**24  # read at once
ROUNDING = 1e-4  # mm/day, below 0 by which rain is still none


@dataclass(frozen=True)
class Bounds:
    """What values may be: least, most, and the least that their mean may be, in `unit`."""

    least: float
    most: float
    least_mean: float
    unit: str
    hint: str  # what values below these bounds look like


BOUNDS = {
    "pr": Bounds(-ROUNDING, 3000.0, 1e-3, "mm day-1", "kg m-2 s-1, of which 86400 make one"),
    "tasmax": Bounds(170.0, 345.0, 200.0, "K", "degrees Celsius, to which 273.15 is to be added"),
}


@dataclass(frozen=True, eq=False)
class Submission:
    """A folder of predictions, and what it is to hold."""

    folder: Path
    tree: Tree
    templates: Path
    domains: tuple[str, ...]
    experiments: tuple[str, ...]

    def expected(self) -> dict[Path, TestFile]:
        """The files below the folder, and the predictors that each belongs to."""
        return {
            test.prediction(experiment): test
            for domain in self.domains
            for experiment in self.experiments
            for test in self.tree.tests(domain)
        }


def refusals(submission: Submission) -> list[str]:
    """All that is wrong with a submission, a line each; none where it may be sent.

    InputError where the templates or the predictors cannot be read.
    """
    folder = submission.folder
    if not folder.is_dir():
        return [f"{folder}: no such folder; expected the predictions"]
    expected = submission.expected()
    there = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    found = [
        f"{path}: missing; expected the prediction of {test.path.name} ({test})"
        for path, test in expected.items()
        if path not in there
    ]
    found += [
        f"{path}: not asked for; expected the {len(expected)} files of the protocol alone"
        for path in sorted(there - expected.keys())
    ]
    templates = {name: read_template(submission.templates, name) for name in submission.domains}
    layouts: dict[Path, int] = {}
    prints: dict[int, Path] = {}
    for path, test in expected.items():
        if path in there:
            check = _FileCheck(folder / path, test, templates[test.domain])
            found += [f"{path}: {line}" for line in check.lines()]
            layouts[path] = check.members
            if check.crc and (twin := prints.setdefault(check.crc, path)) != path:
                found.append(
                    f"{path}: has the very fields of {twin}; expected those of its own predictors"
                )
    return [*found, *_odd_members(layouts)]


def _odd_members(layouts: dict[Path, int]) -> Iterator[str]:
    """Files that have members, or none, unlike the others."""
    common = Counter(layouts.values()).most_common(1)
    for path, count in layouts.items():
        if count != common[0][0]:
            yield (
                f"{path}: {_counted(count)}, where most files have {_counted(common[0][0])}; "
                "expected one model throughout"
            )


def _counted(members: int) -> str:
    return f"{members} members" if members else "no members"


class _FileCheck:
    """One file of a submission; `members` and `crc` of its fields are known after `lines`."""

    def __init__(self, path: Path, test: TestFile, template: Template) -> None:
        self.path, self.test, self.template = path, test, template
        self.members = 0
        self.crc = 0

    def lines(self) -> list[str]:
        """All that is wrong with it."""
        try:
            with opened(self.path) as file:
                found = [*self._times(file), *self._coordinates(file), *self._targets(file)]
                return found
        except InputError:
            return ["cannot be read as NetCDF; expected a whole file"]
        except (OSError, RuntimeError) as error:
            return [f"damaged ({one_line(error)}); expected a whole file"]

    # Times

    def _times(self, file: netCDF4.Dataset) -> Iterator[str]:
        if TIME not in file.variables:
            yield f"no {TIME}; expected that of {self.test.path.name}"
            return
        with opened(self.test.path) as predictors:
            wanted = stamps_of(predictors[TIME])
        try:
            own = stamps_of(file[TIME])
        except (ValueError, TypeError, OverflowError, AttributeError) as error:
            yield f"{TIME} cannot be decoded ({one_line(error)}); expected {wanted.span()}"
            return
        where = f"expected those of {self.test.path.name}, {wanted.span()}"
        if own.calendar != wanted.calendar:
            yield f"{TIME} has the calendar {own.calendar}, {where}, in {wanted.calendar}"
        elif len(own) != len(wanted):
            yield f"{len(own)} times, {own.span()}; {where}, {len(wanted)} of them"
        elif not np.array_equal(own.seconds, wanted.seconds):
            first = int(np.argmax(own.seconds != wanted.seconds))
            apart = int(np.sum(own.seconds != wanted.seconds))
            yield (
                f"{apart} of {len(own)} times are others, the first {own.text(first)} where "
                f"{wanted.text(first)} is wanted; {where}"
            )

    # Coordinates

    def _coordinates(self, file: netCDF4.Dataset) -> Iterator[str]:
        for name, wanted in self.template.coordinates.items():
            if name not in file.variables:
                yield f"no variable {name}; expected that of the template, {wanted.dims}"
                continue
            variable = file[name]
            yield from self._place(name, variable, wanted)
            yield from _attributes(name, variable, wanted.attributes)

    def _place(self, name: str, variable: Any, wanted: Coordinate) -> Iterator[str]:
        if variable.dimensions != wanted.dims or variable.shape != wanted.values.shape:
            yield (
                f"{name} has dimensions {_sized(variable.dimensions, variable.shape)}; expected "
                f"{_sized(wanted.dims, wanted.values.shape)}"
            )
            return
        own = np.asarray(variable[...])
        if own.dtype.kind not in "fiu" or wanted.values.dtype.kind not in "fiu":
            return
        own, values = own.astype(np.float64), wanted.values.astype(np.float64)
        near = TOLERANCE * _step(values)
        if np.allclose(own, values, rtol=0, atol=near):
            return
        for axis in range(own.ndim):
            if np.allclose(np.flip(own, axis), values, rtol=0, atol=near):
                yield (
                    f"{name} runs the other way along {variable.dimensions[axis]}, from "
                    f"{_first(own):g}; expected the template's, from {_first(values):g}"
                )
                return
        worst = float(np.nanmax(np.abs(own - values)))
        yield (
            f"{name} differs from the template by up to {worst:g} {wanted.unit}, from "
            f"{_first(own):g}; expected from {_first(values):g}"
        )

    # Values

    def _targets(self, file: netCDF4.Dataset) -> Iterator[str]:
        there = [name for name in protocol.TARGETS if name in file.variables]
        for name in protocol.TARGETS:
            if name not in there:
                others = [n for n in file.variables if n not in self.template.coordinates]
                yield f"no variable {name}; there are {', '.join(others) or 'none'}"
        counts = {}
        for name in there:
            variable = file[name]
            wrong = list(self._layout(name, variable))
            yield from wrong
            yield from _attributes(name, variable, self.template.attributes[name])
            counts[name] = (
                variable.shape[variable.dimensions.index(protocol.MEMBER)]
                if protocol.MEMBER in variable.dimensions
                else 0
            )
            if not wrong:
                yield from self._values(name, variable)
        self.members = max(counts.values(), default=0)
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{name} {_counted(count)}" for name, count in counts.items())
            yield f"{told}; expected the same of both"
        elif self.members not in (0, protocol.MEMBERS):
            yield (
                f"{_counted(self.members)}; expected {protocol.MEMBERS} of a generative model, no "
                f"dimension {protocol.MEMBER} of another"
            )

    def _layout(self, name: str, variable: Any) -> Iterator[str]:
        plain = (TIME, *self.template.dims)
        allowed = {plain, (protocol.MEMBER, *plain), (TIME, protocol.MEMBER, *plain[1:])}
        if variable.dimensions not in allowed:
            yield (
                f"{name} has dimensions {_sized(variable.dimensions, variable.shape)}; expected "
                f"{', '.join(plain)}, with {protocol.MEMBER} before or behind {TIME} where there "
                "are members"
            )
        elif variable.shape[-2:] != self.template.shape:
            yield (
                f"{name} has {_sized(variable.dimensions, variable.shape)}; expected "
                f"{_sized(self.template.dims, self.template.shape)}"
            )
        elif not variable.shape[0]:
            yield f"{name} has no time; expected those of {self.test.path.name}"
        if variable.dtype.kind != "f":
            yield f"{name} is stored as {variable.dtype}; expected floating-point numbers"

    def _values(self, name: str, variable: Any) -> Iterator[str]:
        """Missing values, bounds, days and members that are all the same."""
        bounds = BOUNDS[name]
        fills = [variable.getncattr(a) for a in ("_FillValue", "missing_value") if a in
                 variable.ncattrs()]  # fmt: skip
        missing, least, most, total, count = 0, np.inf, -np.inf, 0.0, 0
        still, alike = True, True
        first: Array | None = None
        for block in _blocks(variable):
            values = block.astype(np.float64)
            lost = ~np.isfinite(values) | np.isin(block, fills)
            missing += int(lost.sum())
            known = values[~lost]
            if known.size:
                least, most = min(least, known.min()), max(most, known.max())
                total, count = total + known.sum(), count + known.size
            self.crc = zlib.crc32(np.ascontiguousarray(block).tobytes(), self.crc)
            first = block[:1, :1] if first is None else first
            still = still and bool((block == first).all())
            alike = alike and bool((block == block[:, :1]).all())
        size = int(np.prod(variable.shape))
        if missing:
            yield f"{name} is missing at {missing} of {size} values; expected none"
        if count and least < bounds.least:
            yield (
                f"{name} is down to {least:g}; expected at least {max(bounds.least, 0):g} "
                f"{bounds.unit}" + (f" (is it in {bounds.hint}?)" if name == "tasmax" else "")
            )
        elif count and total / count < bounds.least_mean:
            yield (
                f"{name} is {total / count:.3g} on average; expected at least "
                f"{bounds.least_mean:g} {bounds.unit} (is it in {bounds.hint}?)"
            )
        if count and most > bounds.most:
            yield f"{name} is up to {most:g}; expected at most {bounds.most:g} {bounds.unit}"
        if still and size > int(np.prod(variable.shape[-2:])):
            yield f"{name} has the same field at every time; expected a prediction of each"
        elif alike and protocol.MEMBER in variable.dimensions and variable.shape != ():
            yield f"{name} has the same fields in all members; expected draws of their own"


def _attributes(name: str, variable: Any, wanted: dict[str, Any]) -> Iterator[str]:
    own = attributes_of(variable)
    for key, value in wanted.items():
        if key not in own:
            yield f"{name} lacks the attribute {key}; expected {_shown(value)}"
        elif not same(own[key], value):
            yield f"{name} has {key} {_shown(own[key])}; expected {_shown(value)}"


def _shown(value: Any) -> str:
    return repr(value.tolist() if isinstance(value, np.generic | np.ndarray) else value)


def _blocks(variable: Any) -> Iterator[Array]:
    """Values as (time, member, y, x), some times at once."""
    first = variable.dimensions[0] == protocol.MEMBER
    times = variable.shape[1 if first else 0]
    each = int(np.prod(variable.shape)) // max(1, times)
    step = max(1, BLOCK_VALUES // max(1, each))
    for start in range(0, times, step):
        part = slice(start, start + step)
        block = np.asarray(variable[:, part] if first else variable[part])
        if first:
            block = block.swapaxes(0, 1)
        yield block if block.ndim == 4 else block[:, None]


def _step(values: Array) -> float:
    """A typical distance of neighbours; 1 where there is none."""
    steps = [np.abs(np.diff(values, axis=axis)) for axis in range(values.ndim)]
    known = np.concatenate([one.ravel() for one in steps]) if steps else np.zeros(0)
    known = known[np.isfinite(known) & (known > 0)]
    return float(np.median(known)) if known.size else 1.0


def _first(values: Array) -> float:
    return float(values.ravel()[0])


def _sized(dims: Sequence[str], shape: Sequence[int]) -> str:
    return " × ".join(f"{name} {size}" for name, size in zip(dims, shape, strict=True)) or "none"
