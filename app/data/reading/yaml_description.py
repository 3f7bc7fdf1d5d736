"""Data descriptions from a YAML file, from flags, or from a module of arrays."""

from __future__ import annotations

import os
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import yaml

from app.data.description import (
    SPLIT_NAMES,
    DataDescription,
    Region,
    Source,
    Splits,
    Variable,
)
from app.errors import InputError
from app.registry import unknown

SYNTHETIC = "synthetic"  # stands for the built-in generator's file
# What --data=synthetic --variable=NAME need not be told.
SYNTHETIC_OPTIONS: dict[str, dict[str, Any]] = {
    "pr": {"units": "mm h-1", "kind": "ratio", "valid_min": 0.0, "transform": "sqrt"},
}
ADVECTION = "synthetic_advection"  # and for that of moving patterns
BUILT_IN = (SYNTHETIC, ADVECTION)
TOP_KEYS = (
    "predictand",
    "low_resolution",
    "predictors",
    "static",
    "region",
    "splits",
    "scaling",
    "scaling_axes",
    "min_valid_fraction",
)
SOURCE_KEYS = tuple(field.name for field in fields(Source))
VARIABLE_KEYS = tuple(field.name for field in fields(Variable) if field.name != "name")
SPLIT_KEYS = tuple(field.name for field in fields(Splits))


def from_yaml(name: str, data_root: str) -> DataDescription:
    """Read a YAML data description; paths in it are relative to it and may use ${VARS}."""
    path = Path(name).expanduser()
    content = _load(path)
    where = str(path)
    _known(content, TOP_KEYS, where)
    if "predictand" not in content:
        raise InputError(f"{where}: the key predictand is missing")
    reader = _Reader(where, path.resolve().parent, data_root)
    low_resolution = content.get("low_resolution")
    return DataDescription(
        predictand=reader.source(content["predictand"], "predictand"),
        low_resolution=reader.source(low_resolution, "low_resolution") if low_resolution else None,
        predictors=reader.sources(content.get("predictors"), "predictors"),
        static=reader.sources(content.get("static"), "static"),
        region=reader.region(content.get("region")),
        splits=reader.splits(content.get("splits")),
        **{
            key: content[key]
            for key in ("scaling", "scaling_axes", "min_valid_fraction")
            if key in content
        },
    )


def from_files(data: str, variable: str | None, static: str | None) -> DataDescription:
    """A description without YAML: PerfectProg, 70/15/15 in time order."""
    if not variable:
        raise InputError(f"--data={data}: expected --variable=NAME beside it")
    names = [part.strip() for part in variable.split(",")]
    return DataDescription(
        predictand=Source(
            files=tuple(_absolute(part, Path.cwd()) for part in data.split(",")),
            variables=tuple(_plain_variable(name, data) for name in names),
        ),
        static=tuple(_static_of(part.strip()) for part in static.split(",")) if static else (),
    )


def from_module(name: str, explicit: bool, inference_array_in_hr: bool) -> DataDescription:
    """A description whose arrays a Python file holds."""
    path = Path(name).expanduser()
    if not path.is_file():
        raise InputError(f"--data_module={name}: no such file")
    return DataDescription(
        predictand=None,
        scaling="none",
        module=str(path.resolve()),
        module_explicit=explicit,
        module_inference_in_hr=inference_array_in_hr,
    )


def _plain_variable(name: str, data: str) -> Variable:
    """A variable without further description; what the built-in data set holds is known."""
    known = SYNTHETIC_OPTIONS.get(name, {}) if data.strip() == SYNTHETIC else {}
    return Variable(name, name, **known)


def with_transform(
    description: DataDescription, transform: str | None, scale: float | None
) -> DataDescription:
    """The description with another transform, or its x0, of the predictands and their twins."""
    if description.predictand is None or (transform is None and scale is None):
        return description
    names = {variable.name for variable in description.predictand.variables}
    changes: dict[str, Any] = {"transform": transform, "transform_scale": scale}
    changes = {key: value for key, value in changes.items() if value is not None}

    def changed(source: Source) -> Source:
        return replace(
            source,
            variables=tuple(
                replace(v, **changes) if v.name in names else v for v in source.variables
            ),
        )

    low = description.low_resolution
    return replace(
        description,
        predictand=changed(description.predictand),
        low_resolution=changed(low) if low else None,
    )


def _static_of(text: str) -> Source:
    file, colon, variable = text.rpartition(":")
    if not colon:
        raise InputError(f"--static={text}: expected FILE:VARIABLE")
    return Source(files=(_absolute(file, Path.cwd()),), variables=(Variable(variable, variable),))


def _absolute(text: str, base: Path) -> str:
    if text.strip() in BUILT_IN:
        return text.strip()
    return str(base / Path(text.strip()).expanduser())


def _load(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"--data_config={path}: no such file") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"--data_config={path}: not readable as YAML ({reason})") from error
    if not isinstance(content, dict):
        raise InputError(f"--data_config={path}: expected keys such as predictand at the top")
    return content


def _known(content: dict[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in content:
        if key not in keys:
            raise InputError(f"{where}: {unknown('key', str(key), keys)}")


class _Reader:
    """Reads the parts of one YAML file, naming file and key in every error."""

    def __init__(self, where: str, base: Path, data_root: str) -> None:
        self.where = where
        self.base = base
        self.data_root = data_root

    def sources(self, content: Any, key: str) -> tuple[Source, ...]:
        if content is None:
            return ()
        listed = content if isinstance(content, list) else [content]
        return tuple(self.source(part, f"{key}[{i}]") for i, part in enumerate(listed))

    def source(self, content: Any, key: str) -> Source:
        where = f"{self.where}: {key}"
        if not isinstance(content, dict):
            raise InputError(f"{where}: expected the keys files and variables")
        _known(content, SOURCE_KEYS, where)
        for needed in ("files", "variables"):
            if not content.get(needed):
                raise InputError(f"{where}: the key {needed} is missing")
        files = content["files"] if isinstance(content["files"], list) else [content["files"]]
        options = {k: v for k, v in content.items() if k not in ("files", "variables")}
        if "lags" in options:
            options["lags"] = tuple(options["lags"])
        try:
            return Source(
                files=tuple(_absolute(self._expanded(str(f), where), self.base) for f in files),
                variables=self._variables(content["variables"], where),
                **options,
            )
        except InputError as error:
            text = str(error)
            raise InputError(text if self.where in text else f"{where}: {text}") from error

    def region(self, content: Any) -> Region | None:
        if content is None:
            return None
        where = f"{self.where}: region"
        try:
            _known(content, ("lat", "lon"), where)
            south, north = (float(value) for value in content["lat"])
            west, east = (float(value) for value in content["lon"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{where}: expected lat: [south, north] and lon: [west, east], received {content}"
            ) from error
        return Region(lat=(min(south, north), max(south, north)), lon=(west, east))

    def splits(self, content: Any) -> Splits:
        if content is None:
            return Splits()
        where = f"{self.where}: splits"
        if not isinstance(content, dict):
            raise InputError(f"{where}: expected keys such as train, validation and test")
        _known(content, SPLIT_KEYS, where)
        options = {k: _tupled(v) for k, v in content.items()}
        if "kind" not in options:
            options["kind"] = "dates" if any(n in options for n in SPLIT_NAMES) else "fractions"
        for name in SPLIT_NAMES:
            if name in options:
                options[name] = self._split(options[name], options["kind"], f"{where}.{name}")
        return Splits(**options)

    def _split(self, value: Any, kind: str, where: str) -> tuple[Any, ...]:
        """One period, or several; "dates" periods become (first, last) texts."""
        listed = value if isinstance(value, tuple) else (value,)
        if kind != "dates":
            return listed
        periods = listed if listed and isinstance(listed[0], tuple) else (listed,)
        for period in periods:
            if len(period) != 2:
                raise InputError(f"{where}: expected [first, last], received {list(period)}")
        return tuple((str(first), str(last)) for first, last in periods)

    def _variables(self, content: Any, where: str) -> tuple[Variable, ...]:
        if isinstance(content, str):
            content = [content]
        if isinstance(content, list):
            content = {name: {} for name in content}
        return tuple(self._variable(str(k), v or {}, where) for k, v in content.items())

    def _variable(self, name: str, options: dict[str, Any], where: str) -> Variable:
        where = f"{where}.variables.{name}"
        _known(options, VARIABLE_KEYS, where)
        source_name, at, level = name.partition("@")
        given = {"source_name": source_name, **({"level": _number(level, where)} if at else {})}
        if "missing" in options:
            options = {**options, "missing": _missing(options["missing"], where)}
        return Variable(name=name.replace("@", ""), **{**given, **options})

    def _expanded(self, text: str, where: str) -> str:
        known = {**os.environ, "DATA_ROOT": str(Path(self.data_root).expanduser().resolve())}

        def value(match: re.Match[str]) -> str:
            name = match.group(1) or match.group(2)
            if name not in known:
                raise InputError(f"{where}: ${{{name}}} is not set in the environment")
            return known[name]

        return re.sub(r"\$\{(\w+)\}|\$(\w+)", value, text)


def _tupled(value: Any) -> Any:
    return tuple(_tupled(part) for part in value) if isinstance(value, list) else value


def _missing(value: Any, where: str) -> tuple[float, ...]:
    listed = value if isinstance(value, list) else [value]
    try:
        return tuple(float(part) for part in listed)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{where}.missing: expected a number or a list of numbers, received {value!r}"
        ) from error


def _number(text: str, where: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InputError(f"{where}: expected NAME@LEVEL with a number, not @{text}") from error
