"""The keys of a YAML data description and what each takes, for its reader and for editors.

Imported only where a YAML file is read, as pydantic takes a while to load.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, core_schema

from app.arrays import Json
from app.data import description
from app.data.reading import yaml_values as values
from app.errors import InputError
from app.registry import unknown

DIALECT = "http://json-schema.org/draft-07/schema#"
REFERENCE = "#/$defs/"


@dataclass(frozen=True)
class Takes:
    """What a key takes: a reader, whose ValueError says what is expected, and its JSON schema."""

    read: Callable[[Any], Any]
    schema: Json

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> Json:
        return deepcopy(self.schema)


def _choice(choices: tuple[str, ...]) -> Takes:
    return Takes(values.choice(choices), {"enum": list(choices)})


def _one_or_more(item: Json) -> Json:
    return {"anyOf": [item, _list(item, 1)]}


def _list(item: Json, least: int, most: int | None = None) -> Json:
    bounds = {"minItems": least} if most is None else {"minItems": least, "maxItems": most}
    return {"type": "array", "items": item, **bounds}


def _within(low: float, high: float) -> Json:
    return {"type": "number", "minimum": low, "maximum": high}


def _degrees(expected: str, low: float, high: float) -> Takes:
    return Takes(values.span(expected, low, high), _list(_within(low, high), 2, 2))


_NUMBER: Json = {"type": "number"}
_TEXT: Json = {"type": "string"}
_LABEL: Json = {"type": ["string", "number"]}
_SHARE = _within(0, 1)

TEXT = Takes(values.text, _TEXT)
UNITS = Takes(values.units, {"type": ["string", "integer"]})
NUMBER = Takes(values.number, _NUMBER)
POSITIVE = Takes(
    values.number_within("a number above 0", lambda x: x > 0), {**_NUMBER, "exclusiveMinimum": 0}
)
SHARE = Takes(values.number_within("a share from 0 to 1", lambda x: 0 <= x <= 1), _SHARE)
SHARES = Takes(values.shares, _list(_SHARE, 3, 3))
WHOLE = Takes(values.whole, {"type": "integer"})
DURATION = Takes(values.duration, {**_TEXT, "pattern": "[A-Za-z:]"})
SHIFT = Takes(values.shift, {**_TEXT, "pattern": "[A-Za-z:]"})
AGGREGATE = Takes(values.aggregate, {**_TEXT, "pattern": ":"})
LEVEL = Takes(values.level, _LABEL)
FILES = Takes(values.listed(values.text, "a file, or a list of files"), _one_or_more(_TEXT))
MISSING_VALUES = Takes(
    values.listed(values.number, "a number, or a list of numbers"), _one_or_more(_NUMBER)
)
LAGS = Takes(values.lags, _one_or_more({"type": "integer", "minimum": 0}))
MEMBER = Takes(values.label, _LABEL)
SELECT = Takes(values.labels, {"type": "object", "additionalProperties": _LABEL})
LATITUDES = _degrees("[south, north] in degrees", -90, 90)
LONGITUDES = _degrees("[west, east] in degrees", -360, 360)
PART = Takes(lambda value: value, {"type": ["array", "string", "integer"]})


def _key(text: str) -> Any:
    """A key that need not be given; its default is that of the description's dataclass."""
    return Field(default=None, description=text)


class Keys(BaseModel):
    """Keys of a mapping; one without a value counts as not given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _mapping(cls, content: Any) -> Json:
        if isinstance(content, dict):
            known = cls.model_fields
            return {k: v for k, v in content.items() if v is not None or k not in known}
        raise ValueError(f"a mapping with keys such as {', '.join(list(cls.model_fields)[:2])}")

    @property
    def given(self) -> Json:
        """What was written, by key."""
        return {name: getattr(self, name) for name in sorted(self.model_fields_set)}


class VariableKeys(Keys):
    """A variable."""

    source_name: Annotated[str, TEXT] = _key("Name in the file, if another.")
    units: Annotated[str, UNITS] = _key("Unit to convert to; default: the file's.")
    level: Annotated[tuple[float, str | None], LEVEL] = _key(
        "Level, such as 850 or 850hPa; NAME@LEVEL says the same."
    )
    transform: Annotated[str, _choice(description.TRANSFORMS)] = _key(
        "Before scaling: none, log1p(x / x0) or sqrt(x / x0)."
    )
    transform_scale: Annotated[float, POSITIVE] = _key("x0, in the variable's unit.")
    valid_min: Annotated[float, NUMBER] = _key("Lower bound, in the variable's unit.")
    valid_max: Annotated[float, NUMBER] = _key("Upper bound, in the variable's unit.")
    kind: Annotated[str, _choice(description.KINDS)] = _key(
        "interval, or ratio for amounts, which allows relative scores."
    )
    accumulation: Annotated[str, DURATION] = _key(
        "What an amount has gathered over, such as 1D (of mm; rates need none)."
    )
    wet_threshold: Annotated[float, POSITIVE] = _key(
        "Smallest wet value, in the variable's unit, if not 1 mm a day."
    )
    time_method: Annotated[str, _choice(description.TIME_METHODS)] = _key(
        "point, or sum: an amount of the time before its stamp."
    )
    missing: Annotated[tuple[float, ...], MISSING_VALUES] = _key(
        'Values in the file, in its own unit, that stand for "missing".'
    )
    standard_name: Annotated[str, TEXT] = _key(
        "CF standard name, by which other files' variables are found; default: the file's."
    )


def _variables(content: Any) -> Any:
    """{name: keys} of a name, a list of names, or such a mapping."""
    if isinstance(content, dict) and content:
        return {name: {} if keys is None else keys for name, keys in content.items()}
    names = content if isinstance(content, list) else [content]
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError("a name, a list of names, or a mapping such as {t2m: {units: K}}")
    if len(set(names)) < len(names):
        raise ValueError("each name once")
    if isinstance(content, str) and "," in content:
        raise ValueError(f"a list: [{content}]")
    return {str(name): {} for name in names}


def _several(content: Any) -> Any:
    return content if isinstance(content, list) else [content]


class SourceKeys(Keys):
    """Files of one grid and the variables wanted from them."""

    files: Annotated[tuple[str, ...], FILES] = Field(
        description="Files, globs or addresses of NetCDF, Zarr or GRIB; ${VARIABLES} are filled in."
    )
    variables: Annotated[dict[str, VariableKeys], BeforeValidator(_variables)] = Field(
        description="Names, or names with keys of their own; NAME@LEVEL takes a level."
    )
    engine: Annotated[str, TEXT] = _key("xarray's engine, where the file does not tell it.")
    member: Annotated[int | float | str, MEMBER] = _key("Member of an ensemble.")
    select: Annotated[dict[str, int | float | str], SELECT] = _key(
        "What to take of any other dimension, such as {step: 6}."
    )
    aggregate: Annotated[str, AGGREGATE] = _key(
        "DURATION:METHOD, such as 1D:mean; mean, sum, max or min."
    )
    time_shift: Annotated[str, SHIFT] = _key("Added to the stamps, such as 12h or -30min.")
    align: Annotated[str, _choice(description.ALIGNMENTS)] = _key(
        "exact, or day: stamps of one day belong together."
    )
    regrid: Annotated[str, _choice(description.REGRIDDINGS)] = _key(
        "How fields come to the coarse grid; auto: by the resolution."
    )
    lags: Annotated[tuple[int, ...], LAGS] = _key(
        "Time steps back: 0 is the same time, 1 the step before, [0, 1] both."
    )
    calendar: Annotated[str, _choice(description.CALENDARS)] = _key(
        "Calendar that the times are brought to, if not the files' own."
    )


class RegionKeys(Keys):
    """Part of the fine grid."""

    lat: Annotated[tuple[float, float], LATITUDES] = Field(description="[south, north] in degrees.")
    lon: Annotated[tuple[float, float], LONGITUDES] = Field(description="[west, east] in degrees.")


class SplitKeys(Keys):
    """Which times train, validate and test."""

    kind: Annotated[str, _choice(description.SPLIT_KINDS)] = _key(
        "Default: dates where train, validation or test are given, else fractions."
    )
    train: Annotated[Any, PART] = _key(
        "[first, last] or a list of these; with the kinds years and seasons a list of them."
    )
    validation: Annotated[Any, PART] = _key("As train.")
    test: Annotated[Any, PART] = _key("As train.")
    fractions: Annotated[tuple[float, ...], SHARES] = _key("Shares of train, validation and test.")
    block: Annotated[str, DURATION] = _key("Length of the blocks that are dealt out, such as 30D.")
    folds: Annotated[int, WHOLE] = _key("Number of contiguous parts, 3 or more.")
    fold: Annotated[int, WHOLE] = _key("The part that tests, from 0.")
    gap: Annotated[str, DURATION] = _key("Left out between the splits, such as 1D.")


class DataKeys(Keys):
    """A data description of finescale."""

    predictand: SourceKeys = Field(description="What is to be downscaled, on its fine grid.")
    low_resolution: SourceKeys = _key(
        "Coarse source of explicit pairs (MOS), with --paired_samples=explicit."
    )
    predictors: Annotated[list[SourceKeys], BeforeValidator(_several)] = _key(
        "Further coarse inputs, each source on its own grid."
    )
    static: Annotated[list[SourceKeys], BeforeValidator(_several)] = _key(
        "Fields without time, such as orography."
    )
    region: RegionKeys = _key("Part of the fine grid.")
    splits: SplitKeys = _key("Which times train, validate and test.")
    scaling: Annotated[str, _choice(description.SCALINGS)] = _key(
        "Scaling, fitted on the training period."
    )
    scaling_axes: Annotated[str, _choice(description.SCALING_AXES)] = _key(
        "One scaling for the domain, or one for each cell."
    )
    min_valid_fraction: Annotated[float, SHARE] = _key(
        "Least share of valid fine cells in a valid coarse cell."
    )


SomeKeys = TypeVar("SomeKeys", bound=Keys)


def checked(kind: type[SomeKeys], content: Any, where: str, inside: str = "") -> SomeKeys:
    """The keys of a mapping; InputError names the first that is wrong, and what is expected.

    where: the file or flag. inside: path of the mapping in it.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as refusal:
        errors = refusal.errors(include_url=False)
        first = min(errors, key=lambda error: error["type"] != "extra_forbidden")
        raise InputError(f"{where}: {_words(kind, first, inside)}") from refusal


def _words(kind: type[Keys], error: ErrorDetails, inside: str) -> str:
    """The path of a key, what was given there, and what is expected."""
    *parents, last = error["loc"] or ("",)
    if error["type"] == "extra_forbidden":
        within = path_of(parents, inside)
        known = unknown("key", str(last), tuple(_model_at(kind, parents).model_fields))
        return f"{within}: {known}" if within else known
    if error["type"] == "missing":
        within = path_of(parents, inside)
        return f"{within + ': ' if within else ''}the key {last} is missing"
    expected = str(error.get("ctx", {}).get("error", error["msg"]))
    path = path_of(error["loc"], inside)
    received = f"received {values.shown(error['input'])}, expected {expected}"
    return f"{path}: {received}" if path else received


def path_of(location: Any, inside: str = "") -> str:
    """A path such as predictors[0].variables.y.lags."""
    path = inside
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else str(part)
    return path


MODELS: dict[str, type[Keys]] = {
    **dict.fromkeys(("predictand", "low_resolution", "predictors", "static"), SourceKeys),
    **{"variables": VariableKeys, "region": RegionKeys, "splits": SplitKeys},
}


def _model_at(kind: type[Keys], parents: Any) -> type[Keys]:
    """The keys of the mapping that a path leads to."""
    for part in parents:
        if kind is not VariableKeys:
            kind = MODELS.get(part, kind)
    return kind


def json_schema() -> Json:
    """The JSON schema that editors complete from and check with."""
    schema = DataKeys.model_json_schema(ref_template=REFERENCE + "{model}")
    parts = {"DataKeys": schema, **schema["$defs"]}
    kinds = {
        "DataKeys": description.DataDescription,
        "SourceKeys": description.Source,
        "VariableKeys": description.Variable,
        "SplitKeys": description.Splits,
    }
    for name, part in parts.items():
        part.pop("title", None)
        defaults = _defaults(kinds[name]) if name in kinds else {}
        for key, member in part["properties"].items():
            member.pop("title", None)
            member.pop("default", None)
            if key in defaults and (name, key) != ("SplitKeys", "kind"):
                member["default"] = defaults[key]
    source = parts["SourceKeys"]["properties"]
    source["variables"] = _variables_schema(source["variables"]["description"])
    for key in ("predictors", "static"):
        single = {"$ref": REFERENCE + "SourceKeys"}
        schema["properties"][key] = {
            "description": schema["properties"][key]["description"],
            "anyOf": [single, {"type": "array", "items": single}],
        }
    return {"$schema": DIALECT, "title": "finescale data description", **schema}


def _variables_schema(text: str) -> Json:
    keyed = {"anyOf": [{"$ref": REFERENCE + "VariableKeys"}, {"type": "null"}]}
    mapping = {"type": "object", "additionalProperties": keyed, "minProperties": 1}
    return {"description": text, "anyOf": [_TEXT, _list(_TEXT, 1), mapping]}


def _defaults(kind: Any) -> Json:
    """Defaults of a dataclass that say something."""
    return {
        field.name: list(field.default) if isinstance(field.default, tuple) else field.default
        for field in fields(kind)
        if field.default is not MISSING and field.default not in (None, ())
    }
