"""What the data are: the parts of a data description, checked before any file is opened."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from app.arrays import Json
from app.errors import InputError

TRANSFORMS = ("none", "log1p", "sqrt")
KINDS = ("interval", "ratio")
ALIGNMENTS = ("exact", "day")
REGRIDDINGS = ("auto", "bilinear", "conservative", "nearest")
SCALINGS = ("standard", "minmax", "none")
SCALING_AXES = ("domain", "pixel")
SPLIT_KINDS = ("dates", "fractions", "years", "blocks", "seasons", "folds")
SPLIT_NAMES = ("train", "validation", "test")
SPLIT_KEYS = {  # what each kind of splits is told by
    **dict.fromkeys(("dates", "years", "seasons"), SPLIT_NAMES),
    "fractions": ("fractions",),
    "blocks": ("block", "fractions"),
    "folds": ("folds", "fold"),
}
SEASONS = ("DJF", "MAM", "JJA", "SON")
TIME_METHODS = ("point", "sum")
GAP_POLICIES = ("refuse", "skip", "bridge")
CALENDARS = ("standard", "noleap", "360_day")
UNCOVERED = ("refuse", "mask")


@dataclass(frozen=True)
class Variable:
    """One physical variable: where it stands in its file and how it is to be read and scaled.

    `units` are the wanted ones (None: as in the file); `transform_scale` is x0 of log1p(x /
    x0), in those units; `kind` "ratio" allows relative scores (None: a ratio if it is rain,
    else "interval"). `accumulation`: the time, such as 1h, that an amount has gathered over;
    `wet_threshold`: the smallest wet value, in the variable's unit, if not 1 mm a day.
    `time_method` "sum" is an amount of the time before its stamp (None: as the file's
    cell_methods say, else "point"). `missing`: values, in the file's own units, that stand for
    "missing" there though the file does not declare them. `level_units`: the unit of `level`
    (None: that of the file). `standard_name`: CF's, by which other files are searched for it
    (None: as in the file). `long_name` and `cell_methods` are the file's, for the files that
    are written; they are no part of what data are.
    """

    name: str
    source_name: str
    units: str | None = None
    level: float | None = None
    transform: str = "none"
    transform_scale: float = 1.0
    valid_min: float | None = None
    valid_max: float | None = None
    kind: str | None = None
    accumulation: str | None = None
    wet_threshold: float | None = None
    time_method: str | None = None
    missing: tuple[float, ...] = ()
    level_units: str | None = None
    standard_name: str | None = None
    long_name: str | None = None
    cell_methods: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name.replace("/", "_"))  # no path of a group
        object.__setattr__(self, "missing", tuple(float(value) for value in self.missing))
        check_choice("transform", self.transform, TRANSFORMS, self.name)
        if self.kind is not None:
            check_choice("kind", self.kind, KINDS, self.name)
        if self.time_method is not None:
            check_choice("time_method", self.time_method, TIME_METHODS, self.name)
        for key in ("transform_scale", "wet_threshold"):
            value = getattr(self, key)
            if value is not None and not 0 < value < math.inf:
                raise InputError(
                    f"variable {self.name}: {key} is {value}, expected a number above 0"
                )
        self._check_bounds()

    def _check_bounds(self) -> None:
        for key in ("valid_min", "valid_max", "level"):
            value = getattr(self, key)
            if value is not None and not math.isfinite(value):
                raise InputError(f"variable {self.name}: {key} is {value}, expected a number")
        if (
            self.valid_min is not None
            and self.valid_max is not None
            and self.valid_min >= self.valid_max
        ):
            raise InputError(
                f"variable {self.name}: valid_min is {self.valid_min:g}, expected a number below "
                f"valid_max, which is {self.valid_max:g}"
            )


ONLY_WRITTEN = frozenset({"long_name", "cell_methods"})  # of a variable


def identifying(content: Any) -> Any:
    """What `dataclasses.asdict` gives, without what is no part of what data are."""
    if isinstance(content, dict):
        return {key: identifying(one) for key, one in content.items() if key not in ONLY_WRITTEN}
    return [identifying(one) for one in content] if isinstance(content, list | tuple) else content


@dataclass(frozen=True)
class Source:
    """A set of files of one grid and the variables wanted from them.

    `regrid` "auto" averages over cells where the source is clearly finer than the grid that its
    fields are brought to, and interpolates bilinearly elsewhere. `calendar`: the one that the times
    are to be in, if not the files' own.
    """

    files: tuple[str, ...]
    variables: tuple[Variable, ...]
    engine: str | None = None
    member: int | str | None = None
    select: Json = field(default_factory=dict)
    aggregate: str | None = None
    time_shift: str | None = None
    align: str = "exact"
    regrid: str = "auto"
    lags: tuple[int, ...] = (0,)
    calendar: str | None = None

    def __post_init__(self) -> None:
        for name in ("files", "lags"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.calendar is not None:
            check_choice("calendar", self.calendar, CALENDARS, ", ".join(self.files))
        check_choice("align", self.align, ALIGNMENTS, ", ".join(self.files))
        check_choice("regrid", self.regrid, REGRIDDINGS, ", ".join(self.files))


def source_from_dict(stored: Json) -> Source:
    """The source that `dataclasses.asdict` has written, also after JSON made lists of tuples."""
    plain = dict(stored)
    plain["variables"] = tuple(Variable(**variable) for variable in plain["variables"])
    return Source(**plain)


@dataclass(frozen=True)
class Region:
    """Part of the fine grid, in degrees; (south, north) and (west, east)."""

    lat: tuple[float, float]
    lon: tuple[float, float]


@dataclass(frozen=True)
class Splits:
    """Which times train, validate and test.

    kind "dates": lists of (first, last) ISO stamps, both included; "fractions": three shares in
    time order; "years": lists of years; "seasons": lists of season names (DJF, MAM, JJA, SON);
    "blocks": `block` long pieces dealt out by `fractions`; "folds": `folds` contiguous parts,
    part `fold` tests and the one before it validates. `gap` is left out between splits.
    """

    kind: str = "fractions"
    train: tuple[Any, ...] = ()
    validation: tuple[Any, ...] = ()
    test: tuple[Any, ...] = ()
    fractions: tuple[float, float, float] = (0.7, 0.15, 0.15)
    block: str | None = None
    folds: int = 5
    fold: int = 0
    gap: str | None = None

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, SPLIT_KINDS, "splits")

    @property
    def asked(self) -> tuple[str, ...]:
        """Names of the splits that are wanted at all."""
        if self.kind == "folds":
            return SPLIT_NAMES
        shares = zip(SPLIT_NAMES, self.fractions, strict=False)
        if self.kind in ("fractions", "blocks"):
            return tuple(name for name, share in shares if share > 0)
        return tuple(name for name in SPLIT_NAMES if getattr(self, name))


@dataclass(frozen=True)
class TimeSteps:
    """Downscaling in time: known frames every `input_step` s, wanted ones every `target_step` s.

    `gaps`: whether a record with irregular steps is refused, split at them ("skip"), or
    interpolated over them ("bridge").
    """

    input_step: int
    target_step: int
    gaps: str = "refuse"

    def __post_init__(self) -> None:
        check_choice("gap policy", self.gaps, GAP_POLICIES, "time steps")

    @property
    def parts(self) -> int:
        """Wanted steps in an interval between known frames."""
        return self.input_step // self.target_step


@dataclass(frozen=True)
class DataDescription:
    """Everything `prepare` needs to know of the data.

    `module` is the path of a data module that holds the arrays instead of the sources; with it
    `module_explicit` tells that it has low-resolution arrays of its own, and
    `module_inference_in_hr` that its inference_data lies on the fine grid. With `time_steps` the
    predictand is to be downscaled in time, not in space. `idle`: sources that are
    described but have no place in the pairs. `uncovered`: whether cells that an input does not
    cover are refused, or masked, which leaves them missing. `coarse_predictand`: whether the
    low resolution has fields of the predictand; else it is predictors alone.
    """

    predictand: Source | None
    low_resolution: Source | None = None
    predictors: tuple[Source, ...] = ()
    static: tuple[Source, ...] = ()
    region: Region | None = None
    splits: Splits = field(default_factory=Splits)
    scaling: str = "standard"
    scaling_axes: str = "domain"
    min_valid_fraction: float = 0.5
    module: str | None = None
    module_explicit: bool = False
    module_inference_in_hr: bool = False
    time_steps: TimeSteps | None = None
    uncovered: str = "refuse"
    idle: tuple[str, ...] = ()
    coarse_predictand: bool = True

    @property
    def task(self) -> str:
        """Name of what the data are prepared for."""
        return "space" if self.time_steps is None else "time"

    def __post_init__(self) -> None:
        check_choice("scaling", self.scaling, SCALINGS, "data description")
        check_choice("scaling_axes", self.scaling_axes, SCALING_AXES, "data description")
        if not 0 <= self.min_valid_fraction <= 1:
            raise InputError(
                f"min_valid_fraction is {self.min_valid_fraction}, expected a share from 0 to 1"
            )


@dataclass(frozen=True)
class ScoredFiles:
    """Files that are scored against others of the same variables, and what else is known.

    climatology: files of an earlier period of the truth. coarse: files of the field that was
    downscaled. match: one of `ALIGNMENTS`, when times are the same.
    """

    truth: Source
    prediction: Source
    climatology: Source | None = None
    coarse: Source | None = None
    static: tuple[Source, ...] = ()
    region: Region | None = None
    match: str = "exact"


def check_choice(key: str, value: object, choices: tuple[str, ...], where: str) -> None:
    """Refuse a value that is none of the choices, naming them."""
    if value not in choices:
        raise InputError(f"{where}: {key} is {value!r}, expected one of {', '.join(choices)}")
