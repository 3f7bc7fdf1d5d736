"""Predicted fields on disk: each rank its part, joined by the first, complete or not there.

A file goes on where an earlier call was ended: its name is .NAME.unfinished until it is complete,
with a note of what it is and how much of it is there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from absl import logging

from app.arrays import Array, Json
from app.data.description import Variable
from app.data.shards.field_file import FieldWriter
from app.data.times import Stamps
from app.errors import Damage, RunError
from app.grids import Grid
from app.integrity import NEVER, OPEN, trailer
from app.integrity.records import Damaged, read_record, write_record
from app.running.atomic import sync

IDENTITY = (
    "model_sha256",
    "data_fingerprint",
    "seed",
    "members",
    "sampling",
    "tiles",
    "steps",
    "quantiles",
    "observations",
)  # attributes that say what a file is
NOTHING = {"written": 0, "fields_crc": 0}  # what a note says of a file without fields
UNREADABLE = (OSError, RuntimeError, KeyError, IndexError, TypeError, ValueError)
COPY_STEPS = 256  # time steps copied at once when parts are joined
KEEP_EVERY = 10.0  # seconds between two notes of how much is there


class GrowingFile:
    """Fields written in the order of time; `written` of them are there."""

    def __init__(
        self, writer: FieldWriter, note: Path, facts: Json, confirm: Callable[[], None]
    ) -> None:
        """`confirm` raises Damage where what the fields are made from is damaged."""
        self._writer, self._note, self._facts = writer, note, facts
        self._confirm = confirm
        self._kept = time.monotonic()

    @property
    def written(self) -> int:
        result: int = self._facts["written"]
        return result

    def append(self, fields: Sequence[Array]) -> None:
        """Fields as `FieldWriter.write` takes them."""
        self._writer.write(self.written, fields)
        self._facts["written"] += fields[0].shape[-3]
        self._facts["fields_crc"] = self._writer.fields_crc
        if time.monotonic() - self._kept > KEEP_EVERY:
            self.keep()

    def keep(self) -> None:
        """Flush to disk, so that what was written survives a crash of the machine."""
        self._confirm()
        self._writer.sync()
        sync(self._writer.path)
        write_record(self._note, self._facts)
        self._kept = time.monotonic()


@dataclass(frozen=True)
class Layout:
    """What a file of predicted fields holds besides times and values."""

    grid: Grid
    variables: tuple[Variable, ...]
    attributes: Mapping[str, str]
    members: int = 1
    write_members: bool = True
    levels: tuple[float, ...] = ()  # of quantiles in the place of the members
    quantiles: tuple[float, ...] = ()

    @property
    def _statistics(self) -> tuple[Variable, ...]:
        """What is written beside members or their mean, in the order of `fields_of`."""
        if self.members == 1:
            return ()
        means = self._means if self.write_members else ()
        quantiles = tuple(
            _statistic(v, quantile_name(q), f"{q:g} quantile")
            for q in self.quantiles
            for v in self.variables
        )
        return (*means, *self._spreads, *quantiles)

    @property
    def _spreads(self) -> tuple[Variable, ...]:
        return tuple(
            replace(_statistic(v, "spread", "standard deviation"), standard_name=None)
            for v in self.variables
        )

    @property
    def _means(self) -> tuple[Variable, ...]:
        return tuple(_statistic(v, "mean", "mean") for v in self.variables)

    def fields_of(self, members: Array) -> list[Array]:
        """What is written of (member, n, y, x, C): each variable's own, or its statistics.

        Quantiles in the place of the members: all of them. One member: the fields. Several: the
        members with mean and spread beside them, or, where members are not wanted, the mean under
        the variable's name and the spread; then the quantiles of the members that are asked for.
        The spread is the standard deviation with M - 1 in the
        denominator.
        """
        channels = list(np.moveaxis(members, -1, 0))
        if self.levels:
            return channels
        if self.members == 1:
            return [channel[0] for channel in channels]
        means = [channel.mean(axis=0) for channel in channels]
        spreads = [channel.std(axis=0, ddof=1) for channel in channels]
        statistics = [*means, *spreads]
        for q in self.quantiles:
            statistics += [np.quantile(c, q, axis=0).astype(c.dtype) for c in channels]
        return [*channels, *statistics] if self.write_members else statistics

    @contextmanager
    def new_file(
        self, path: Path, stamps: Stamps, as_in_file: bool = True
    ) -> Iterator[FieldWriter]:
        """A file that takes its name only when it is complete."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with self._new(temporary, stamps, as_in_file) as writer:
                yield writer
            trailer.seal(temporary)
            temporary.replace(path)
        except OSError as error:
            raise RunError(f"{path}: cannot be written ({error})") from error
        finally:
            temporary.unlink(missing_ok=True)

    @contextmanager
    def growing_file(
        self,
        path: Path,
        stamps: Stamps,
        as_in_file: bool = True,
        confirm: Callable[[], None] = lambda: None,
    ) -> Iterator[GrowingFile]:
        """Likewise; what was written before an error, a request or a kill stays for the next call.

        Only where the attributes say which data the fields are made from, and `confirm` does not
        raise Damage.
        """
        temporary, note = unfinished(path)
        facts = self._facts(stamps)
        try:
            opened = self._reopened(temporary, note, facts, as_in_file)
            if opened is None:
                note.unlink(missing_ok=True)  # of another file
                opened = self._new(temporary, stamps, as_in_file)
            with opened as writer:
                file = GrowingFile(writer, note, facts, confirm)
                try:
                    yield file
                    confirm()
                except BaseException:
                    with contextlib.suppress(OSError):
                        file.keep()
                    raise
            trailer.seal(temporary)
            temporary.replace(path)
            note.unlink(missing_ok=True)
        except OSError as error:
            raise RunError(f"{path}: cannot be written ({error})") from error
        except Damage:
            facts["written"] = 0
            raise
        finally:
            if not (facts["written"] and facts["data_fingerprint"]):
                temporary.unlink(missing_ok=True)
                note.unlink(missing_ok=True)

    def _facts(self, stamps: Stamps) -> Json:
        """What a file is, and that nothing of it is there yet."""
        times = hashlib.sha256(stamps.seconds.tobytes()).hexdigest()
        own = {name: self.attributes.get(name) for name in IDENTITY}
        own["fields"] = f"{self.members} of each, in {self._names}"
        return {**own, "times": f"{len(stamps)} {stamps.calendar} {times}", **NOTHING}

    def _reopened(
        self, temporary: Path, note: Path, facts: Json, as_in_file: bool
    ) -> FieldWriter | None:
        """What an earlier call has left of the same file; `facts` then tell how much."""
        found: Json = {}
        with contextlib.suppress(Damaged):
            found = read_record(note, dict) or {}
        if facts["data_fingerprint"] is None or {**found, **NOTHING} != facts:
            return None
        try:
            writer = FieldWriter(temporary, self.grid, self._names, as_in_file=as_in_file)
            if writer.goes_on(found["written"], found.get("fields_crc", 0)):
                facts.update({name: found[name] for name in NOTHING})
                return writer
            writer.close()
        except UNREADABLE:
            pass
        logging.warning("%s: damaged, its fields are predicted again", temporary)
        return None

    @property
    def _names(self) -> list[str]:
        return [variable.name for variable in (*self.variables, *self._statistics)]

    def _new(self, path: Path, stamps: Stamps, as_in_file: bool) -> FieldWriter:
        path.unlink(missing_ok=True)  # its space may be needed
        several = self.members > 1
        return FieldWriter.new(
            path,
            self.grid,
            stamps,
            self.variables,
            as_in_file=as_in_file,
            attributes=self.attributes,
            members=self.members if several and self.write_members else None,
            quantiles=self.levels,
            summaries=self._statistics,
        )

    def join(self, parts: list[Path], path: Path, stamps: Stamps) -> None:
        """Copy the parts, which are in canonical order, into one file."""
        with self.new_file(path, stamps) as writer:
            start = 0
            for part in parts:
                with netCDF4.Dataset(part) as source:
                    source.set_auto_mask(False)
                    for block in _blocks(source, writer.names):
                        writer.write(start, block)
                        start += block[0].shape[-3]


def _statistic(variable: Variable, name: str, what: str) -> Variable:
    """A variable of an ensemble's fields, called by its own name and that of a statistic."""
    long_name = f"{what} over the ensemble of {variable.long_name or variable.name}"
    return replace(variable, name=f"{variable.name}_{name}", long_name=long_name)


def quantile_name(q: float) -> str:
    """The quantile's part of a variable's name, in percent: 0.05 is "p05", 0.999 "p99_9"."""
    whole, _, rest = f"{100 * q:.6g}".partition(".")
    return f"p{whole.zfill(2)}" + (f"_{rest}" if rest else "")


def part_path(path: Path, rank: int, size: int) -> Path:
    """Where a rank writes its part of `path`."""
    return path.with_name(f".{path.stem}.part-{rank:05d}-of-{size:05d}.nc")


def unfinished(path: Path) -> tuple[Path, Path]:
    """Where a file is until it is complete, and the note of how much of it is there."""
    temporary = path.with_name(f".{path.name.lstrip('.')}.unfinished")
    return temporary, temporary.with_name(f"{temporary.name}.json")


def drop_parts(path: Path) -> None:
    """Remove the parts of `path`, also those of a call on another number of ranks."""
    for part in path.parent.glob(f".{path.stem}.part-*-of-*.nc*"):
        part.unlink()
    for leftover in unfinished(path):
        leftover.unlink(missing_ok=True)


def _blocks(source: netCDF4.Dataset, names: list[str]) -> Iterator[list[Array]]:
    """One array (…, n, y, x) a variable of a part, some time steps at once."""
    for first in range(0, len(source.dimensions["time"]), COPY_STEPS):
        yield [source[name][..., first : first + COPY_STEPS, :, :] for name in names]


def history_line(command: str) -> str:
    """An entry of the attribute `history`: when, and by which command."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}: {command}"


def attributes_of(path: Path) -> Json:
    """Attributes of a NetCDF file; none where it cannot be read."""
    try:
        with netCDF4.Dataset(path) as dataset:
            return {name: dataset.getncattr(name) for name in dataset.ncattrs()}
    except (OSError, RuntimeError, ValueError):
        return {}


def written_with(path: Path, attributes: Mapping[str, str], verify: str = OPEN) -> bool:
    """Whether a file is there already, whole, and came from the same model, data and seed."""
    damage = None if verify == NEVER or not path.exists() else trailer.damage(path)
    if damage is not None:
        logging.warning("%s: damaged, %s; predicting again", path, damage)
        return False
    found = attributes_of(path)
    return bool(found) and all(_given(found, name) == attributes.get(name) for name in IDENTITY)


def _given(found: Json, name: str) -> Any:
    """An attribute of a file; none where it says so in words, as it once did."""
    value = found.get(name)
    return None if isinstance(value, str) and value.startswith(("None", "()")) else value
