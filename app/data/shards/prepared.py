"""Prepared data: the fields of every split, with all that is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import numpy as np
import xarray as xr

from app.arrays import Array
from app.data import times
from app.data.amounts import TimeMeaning
from app.data.calendars import pieces
from app.data.contract import ALL, Rows
from app.data.description import Variable
from app.data.rain import INTERVAL, as_rain, is_rain
from app.data.shards.field_file import FIELD_TYPE, TIME, TIME_TYPES, name_in_file
from app.data.shards.manifest import (
    AGAIN,
    FIRST_LAYOUT,
    LAYOUT,
    MANIFEST,
    SCALING_FILE,
    STATIC_FILE,
    FileEntry,
    Manifest,
    ShardEntry,
    check_content,
    check_folder,
    check_sizes,
    set_aside,
    sums_of,
    task_of,
)
from app.data.shards.scaling_file import read_scaling
from app.data.shards.stored_field import ShardFile, StoredField
from app.data.times import Stamps
from app.data.transforms import Scaling, inverse
from app.errors import InputError
from app.grids import Geometry, Grid, same_grid
from app.integrity import ALWAYS, NEVER
from app.integrity.checking import FileCheck

BORROWED = ("hr", "lr", "predictors", "source")  # roles that data of one training share


class Readable(Protocol):
    """An array (n, y, x), on disk or in memory."""

    def read_into(
        self, out: Array, sample: int, window: tuple[slice, slice] | None = None
    ) -> None: ...

    def rows(self, rows: slice) -> Array: ...


@dataclass(frozen=True, eq=False)
class Role:
    """One role of one split: arrays [shard][variable], and each shard's first row."""

    starts: Array
    fields: Sequence[Sequence[Readable]]
    shape: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Shards:
    """A finished folder of shards, open for reading; fields are float32 in physical units.

    Roles: hr (fine grid), lr and predictors (coarse grid with halo), source (explicit pairs:
    the low resolution on its own grid). `static` is (y, x, S) on the fine grid.
    """

    folder: Path
    fingerprint: str
    geometry: Geometry
    source_grid: Grid | None
    explicit: bool
    has_times: bool
    task: str  # that they were prepared for
    variables: dict[str, tuple[Variable, ...]]
    meanings: dict[str, dict[str, TimeMeaning]]  # role → variable
    origins: tuple[str, ...]  # calendars that times were in before they were in the common one
    scaling: dict[str, Scaling]
    static: Array
    splits: tuple[str, ...]
    findings: tuple[str, ...]  # lines on what is odd about the values, from reading the files
    _stamps: dict[str, Stamps]
    _roles: dict[tuple[str, str], Role]
    _files: dict[str, FileEntry]
    layout: int = LAYOUT  # how the files are written
    coarse_predictand: bool = True  # whether the inputs hold the predictand's own coarse field
    _checks: tuple[FileCheck, ...] = ()
    _kept: Mapping[str, Array] = field(default_factory=dict)  # rows of splits that lack a fold

    @classmethod
    def open(cls, folder: str | Path, verify: str = NEVER) -> Shards:
        """InputError if the folder is no finished cache, or is damaged.

        verify: whether the fields' checksums are compared never, once in a thread (OPEN), or
        whenever a block is read as well (ALWAYS).
        """
        folder = Path(folder)
        manifest = check_folder(folder)
        sums = {n: sums_of(e) for n, e in manifest["files"].items() if "blocks" in e}
        try:
            shards = cls._opened(folder, manifest, sums if verify == ALWAYS else {})
        except (KeyError, TypeError, ValueError, IndexError, OSError, RuntimeError) as error:
            raise InputError(
                f"{folder / MANIFEST}: damaged, it does not fit its files; {AGAIN}"
            ) from error
        if verify == NEVER:
            return shards
        return replace(shards, _checks=(FileCheck(folder, sums, partial(set_aside, folder)),))

    @classmethod
    def _opened(cls, folder: Path, manifest: Manifest, sums: Mapping[str, Array]) -> Shards:
        """sums: checksums of the blocks of files that are compared whenever they are read."""
        geometry = Geometry.from_dict(manifest["geometry"])
        source = manifest["source_grid"]
        variables = {
            role: tuple(Variable(**stored) for stored in members)
            for role, members in manifest["variables"].items()
        }
        layout = manifest.get("layout", FIRST_LAYOUT)
        shapes = {role: tuple(shape) for role, shape in manifest["shapes"].items()}
        roles = {
            (split, role): _open_role(folder, shards, shapes[role], variables[role], sums)
            for split, parts in manifest["splits"].items()
            for role, shards in parts.items()
        }
        return cls(
            folder=folder,
            fingerprint=manifest["fingerprint"],
            geometry=geometry,
            source_grid=Grid.from_dict(source) if source else None,
            explicit=manifest["explicit"],
            coarse_predictand=manifest.get("coarse_predictand", True),
            has_times=manifest["has_times"],
            task=task_of(manifest),
            variables=variables,
            origins=tuple(manifest["origins"]),
            meanings={
                role: {name: TimeMeaning(**stored) for name, stored in members.items()}
                for role, members in manifest["meanings"].items()
            },
            scaling=read_scaling(folder / SCALING_FILE),
            static=_read_static(folder, variables["static"], geometry.fine_shape),
            splits=tuple(manifest["splits"]),
            findings=tuple(manifest["findings"]),
            _stamps={
                split: _read_stamps(folder, parts["hr"], manifest["calendar"], layout)
                for split, parts in manifest["splits"].items()
            },
            _roles=roles,
            layout=layout,
            _files=manifest["files"],
        )

    def size(self, split: str) -> int:
        """Samples (times) in a split."""
        return len(self.stamps(split))

    def stamps(self, split: str) -> Stamps:
        """Times of a split in seconds and calendar."""
        if split not in self._stamps:
            raise InputError(
                f"{self.folder}: the data have no split {split}; there are {', '.join(self.splits)}"
            )
        stamps, kept = self._stamps[split], self._kept.get(split)
        return stamps if kept is None else stamps.take(kept)

    def times(self, split: str) -> Array:
        """(n,) datetime64[ns], or cftime objects for other calendars."""
        return self.stamps(split).decode()

    def segments(self, split: str) -> Array:
        """(n,) number of the gapless piece of time that each sample belongs to."""
        return pieces(self.stamps(split), self.step(split), self.origins)

    def step(self, split: str) -> int:
        """The record's regular step in seconds, from all splits, as one may have few samples.

        Arrays without real times have a step for each split: only the truth's times are real.
        """
        parts = self._stamps.values() if self.has_times else [self._stamps[split]]
        return times.commonest(np.concatenate([np.diff(stamps.seconds) for stamps in parts]))

    def harmonics(self, split: str, indices: slice | Array = ALL) -> Array:
        """(n, 4) float32 of hour and day of year; zeros where the data have no real times."""
        waves = times.harmonics(self.stamps(split).take(indices))
        return waves if self.has_times else np.zeros_like(waves)

    def time_features(self, split: str, indices: slice | Array = ALL) -> Array:
        """(n, 8) float32 that a network may see; zeros where the data have no real times."""
        features = times.time_features(self.stamps(split).take(indices))
        return features if self.has_times else np.zeros_like(features)

    def shape(self, role: str, split: str | None = None) -> tuple[int, int, int]:
        """(y, x, C) of a role's fields."""
        role_of = self._role(role, split or self.splits[0])
        return (*role_of.shape, len(self.variables[role]))

    def read(self, role: str, split: str, indices: Rows) -> Array:
        """Samples in any order → (n, y, x, C)."""
        out = np.empty((len(indices), *self.shape(role, split)), np.float32)
        self.read_into(out, role, split, indices)
        return out

    def read_into(
        self,
        out: Array,
        role: str,
        split: str,
        indices: Rows,
        windows: Sequence[tuple[slice, slice]] | None = None,
    ) -> None:
        """Samples into `out` (n, y, x, C), each whole or its own window of rows and columns."""
        source = self._role(role, split)
        wanted, size = np.asarray(indices), self.size(split)
        if len(wanted) and (wanted.min() < 0 or wanted.max() >= size):
            raise IndexError(f"{split} has {size} samples, not all of {indices}")
        if split in self._kept:
            wanted = self._kept[split][wanted]
        shards = np.searchsorted(source.starts, wanted, side="right") - 1
        rows = wanted - source.starts[shards]
        for i, (shard, row) in enumerate(zip(shards.tolist(), rows.tolist(), strict=True)):
            window = None if windows is None else windows[i]
            for c, one in enumerate(source.fields[shard]):
                one.read_into(out[i, :, :, c], row, window)

    def series(self, role: str, split: str, rows: slice) -> Array:
        """All times of some grid rows → (n, rows, x, C)."""
        source = self._role(role, split)
        parts = [np.stack([one.rows(rows) for one in shard], axis=-1) for shard in source.fields]
        fields: Array = np.concatenate(parts)
        return fields[self._kept[split]] if split in self._kept else fields

    @property
    def predictands(self) -> tuple[Variable, ...]:
        """Variables of "hr", each with its kind.

        Rain and snow are the ratios that training values show them to be, if nothing else is said.
        """
        meanings = self.meanings.get("hr", {})
        found = []
        for c, variable in enumerate(self.variables["hr"]):
            meaning = meanings.get(variable.name, TimeMeaning())
            if meaning.precipitation:
                scaling = self.scaling["hr"]
                ends = (scaling.minimum[..., c].min(), scaling.maximum[..., c].max())
                if is_rain(meaning, np.array([inverse(end, variable) for end in ends])):
                    variable = as_rain(variable, meaning, self.step("train"))
            found.append(replace(variable, kind=variable.kind or INTERVAL))
        return tuple(found)

    @property
    def padded_static(self) -> Array:
        """Statics (H, W, S) on the padded fine grid, edges extrapolated."""
        top, bottom, left, right = self.geometry.pad
        return np.pad(self.static, ((top, bottom), (left, right), (0, 0)), mode="edge")

    def without_fold(self, left_out: tuple[int, int] | None) -> Shards:
        """These data without fold k of K, counted from 1, in their training period.

        The fold is a gap in time; scaling stays as it was fitted. None: the data as they are.
        """
        if left_out is None:
            return self
        (number, folds), size = left_out, self.size("train")
        rows = self._kept.get("train", np.arange(size))
        return replace(self, _kept={"train": np.delete(rows, fold_bounds(size, folds)[number - 1])})

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(int(entry["bytes"]) for entry in self._files.values())

    def with_training(self, trained: Shards) -> Shards:
        """These data with the training and validation period, and the scaling, of others.

        The others' statics serve where there are none here. InputError where grids, variables,
        units or pairs differ.
        """
        for what, same in (
            ("grid", same_grid(self.geometry.fine, trained.geometry.fine)),
            ("scale", self.geometry.scale == trained.geometry.scale),
            ("halo", self.geometry.halo == trained.geometry.halo),
            ("pairs", self.explicit == trained.explicit),
            *((f"{role} variables", self._alike(trained, role)) for role in BORROWED),
            ("low-resolution grid", _same_or_none(self.source_grid, trained.source_grid)),
        ):
            if not same:
                raise InputError(f"{trained.folder}: its {what} differs from that of {self.folder}")
        borrowed = [name for name in trained.splits if name not in self.splits]
        own = bool(self.variables["static"])
        return replace(
            self,
            splits=(*borrowed, *self.splits),
            _checks=(*self._checks, *trained._checks),
            scaling=trained.scaling,
            static=self.static if own else trained.static,
            variables={
                **self.variables,
                "static": (self if own else trained).variables["static"],
            },
            _stamps={**{name: trained.stamps(name) for name in borrowed}, **self._stamps},
            _roles={
                **{key: part for key, part in trained._roles.items() if key[0] in borrowed},
                **self._roles,
            },
        )

    def _alike(self, other: Shards, role: str) -> bool:
        mine, theirs = (
            [(v.name, v.units) for v in one.variables.get(role, ())] for one in (self, other)
        )
        return mine == theirs

    @property
    def checksums(self) -> dict[str, str]:
        """sha256 of every file, by its path in the folder."""
        return {name: str(entry["sha256"]) for name, entry in self._files.items()}

    def check_files(self) -> None:
        """InputError if a file has vanished or changed its size since the folder was opened.

        Damage where the content of one has changed, as far as that is known.
        """
        check_sizes(self.folder, self._files)
        for check in self._checks:
            check.look()

    def confirm(self) -> None:
        """Wait until all checksums are compared, before results are written.

        Damage where the content of a file has changed.
        """
        for check in self._checks:
            check.finish()

    def verify(self) -> None:
        """Compare every file with its checksums; InputError names the first that differs."""
        for name, entry in self._files.items():
            check_content(self.folder, name, entry)

    def _role(self, role: str, split: str) -> Role:
        self.stamps(split)
        if (split, role) not in self._roles:
            raise InputError(f"{self.folder}: the data have no {role} fields")
        return self._roles[split, role]


def fold_bounds(samples: int, folds: int) -> list[range]:
    """Contiguous folds of the samples in their order; sizes differ by at most one."""
    edges = [samples * k // folds for k in range(folds + 1)]
    return [range(a, b) for a, b in pairwise(edges)]


def _same_or_none(grid: Grid | None, other: Grid | None) -> bool:
    return grid is other or (grid is not None and other is not None and same_grid(grid, other))


def _open_role(
    folder: Path,
    shards: list[ShardEntry],
    shape: tuple[int, ...],
    variables: Sequence[Variable],
    sums: Mapping[str, Array],
) -> Role:
    fields = []
    for shard in shards:
        file = ShardFile(folder / shard["file"], sums.get(shard["file"]))
        whole = (shard["rows"], *shape)
        fields.append(
            [StoredField(file, FIELD_TYPE, shard["offsets"][v.name], whole) for v in variables]
        )
    starts = np.cumsum([0, *(shard["rows"] for shard in shards[:-1])])
    return Role(starts, fields, (shape[0], shape[1]))


def _read_stamps(folder: Path, shards: list[ShardEntry], calendar: str, layout: int) -> Stamps:
    seconds = [np.empty(shard["rows"], TIME_TYPES[layout]) for shard in shards]
    for part, shard in zip(seconds, shards, strict=True):
        ShardFile(folder / shard["file"]).fill(part, shard["offsets"][TIME])
    return Stamps(np.concatenate(seconds).astype(np.int64), calendar)


def _read_static(folder: Path, variables: Sequence[Variable], shape: tuple[int, int]) -> Array:
    with xr.open_dataset(folder / STATIC_FILE, engine="netcdf4") as dataset:
        coords = list(dataset.coords)
        fields = [dataset[name_in_file(variable.name, coords)].values for variable in variables]
    return np.stack(fields, axis=-1) if fields else np.zeros((*shape, 0), np.float32)
