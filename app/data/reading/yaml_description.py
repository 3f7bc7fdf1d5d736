"""A data description from a YAML file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from app.arrays import Json
from app.data.description import (
    SEASONS,
    SPLIT_KEYS,
    SPLIT_NAMES,
    DataDescription,
    Region,
    Source,
    Splits,
    Variable,
)
from app.data.reading import yaml_values as values
from app.data.reading.paths import REMOTE, absolute, local
from app.data.reading.yaml_text import Refused, parse_yaml, read_yaml
from app.errors import InputError
from app.running.masking import is_secret_name

if TYPE_CHECKING:
    from app.data.reading.yaml_keys import SourceKeys, SplitKeys, VariableKeys

Made = TypeVar("Made", Source, Variable)
FLAG = "--data_config"
FEWEST_FOLDS = 3
SHARES = re.compile(r"[\d.]+\s*(?:,\s*[\d.]+\s*)+")  # 0.7, 0.15, 0.15


def from_yaml(name: str, data_root: str) -> DataDescription:
    """Read a YAML data description; paths in it are relative to it and may use ${VARS}.

    Raises InputError, in one line: the file, the path of the key, what was given, and what is
    expected.
    """
    from app.data.reading.yaml_keys import DataKeys, checked

    if REMOTE in name:
        raise InputError(f"{FLAG}={name}: an address, which only data can have; expected a file")
    path = local(name)
    content = read_yaml(path, FLAG)
    where = str(path)
    if not isinstance(content, dict):
        raise InputError(
            f"{FLAG}={where}: expected keys such as predictand at the top, received "
            f"{values.shown(content)}"
        )
    keys = checked(DataKeys, content, where)
    reader = _Reader(where, path.resolve().parent, data_root)
    given = keys.given
    low = given.get("low_resolution")
    region = given.get("region")
    return DataDescription(
        predictand=reader.source(keys.predictand, "predictand"),
        low_resolution=reader.source(low, "low_resolution") if low else None,
        predictors=reader.sources(given.get("predictors", []), "predictors"),
        static=reader.sources(given.get("static", []), "static"),
        region=region_of(region.lat, region.lon) if region else None,
        splits=_splits(given["splits"], f"{where}: splits") if "splits" in given else Splits(),
        **{
            key: given[key]
            for key in ("scaling", "scaling_axes", "min_valid_fraction")
            if key in given
        },
    )


def region_of(lat: tuple[float, float], lon: tuple[float, float]) -> Region:
    """A region; which latitude comes first does not matter."""
    return Region(lat=(min(lat), max(lat)), lon=lon)


def splits_from_text(text: str, flag: str) -> Splits:
    """Splits from the keys of a YAML's `splits` on one line, from three shares, or one name."""
    from app.data.reading.yaml_keys import SplitKeys, checked

    bare = text.strip()
    if bare in SPLIT_NAMES:
        shares = tuple(float(name == bare) for name in SPLIT_NAMES)
        return Splits(kind="fractions", fractions=shares)  # type: ignore[arg-type]
    where = f"{flag}={values.shortened(bare)}"
    if SHARES.fullmatch(bare):
        bare = f"fractions: [{bare}]"
    try:
        content = parse_yaml(bare if bare.startswith("{") else "{" + bare + "}")
    except Refused as error:
        raise InputError(
            f"{where}: {error}; expected the keys of splits in a YAML, such as "
            "'kind: years, train: [2001, 2002], validation: 2003, test: 2004'"
        ) from error
    return _splits(checked(SplitKeys, content, where), where)


class _Reader:
    """Makes sources of the keys of one YAML file, naming file and key in every error."""

    def __init__(self, where: str, base: Path, data_root: str) -> None:
        self.where = where
        self.base = base
        self.data_root = data_root

    def sources(self, listed: list[SourceKeys], key: str) -> tuple[Source, ...]:
        return tuple(self.source(part, f"{key}[{i}]") for i, part in enumerate(listed))

    def source(self, keys: SourceKeys, key: str) -> Source:
        where = f"{self.where}: {key}"
        options = keys.given
        options["files"] = tuple(
            absolute(self._expanded(file, where), self.base) for file in keys.files
        )
        options["variables"] = self._variables(keys.variables, f"{where}.variables")
        return _made(Source, where, options)

    def _variables(self, content: dict[str, VariableKeys], where: str) -> tuple[Variable, ...]:
        found = tuple(self._variable(name, keys, where) for name, keys in content.items())
        names = [variable.name for variable in found]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise InputError(f"{where}: two variables would be called {twice[0]}")
        return found

    def _variable(self, name: str, keys: VariableKeys, where: str) -> Variable:
        where = f"{where}.{name}"
        options = keys.given
        source_name, at, level = name.partition("@")
        if at and "level" in options:
            raise InputError(f"{where}.level: the name has a level too; expected one of them")
        if at:
            try:
                options["level"] = values.level(level)
            except ValueError as error:
                raise InputError(
                    f"{where}: expected NAME@LEVEL with {error}, received @{level}"
                ) from error
        if "level" in options:
            options["level"], options["level_units"] = options["level"]
        named = {"name": name.replace("@", ""), "source_name": source_name}
        return _made(Variable, where, {**named, **options})

    def _expanded(self, text: str, where: str) -> str:
        """The text with ${VARS} filled in, unless it is a file's name as it stands."""
        if "$" in text and os.path.lexists(self.base / text):
            return text
        root = self.data_root
        resolved = root if REMOTE in root else str(local(root).resolve())
        known = {**os.environ, "DATA_ROOT": resolved}

        def value(match: re.Match[str]) -> str:
            name = match.group(1) or match.group(2)
            if is_secret_name(name):
                raise InputError(
                    f"{where}: ${{{name}}} looks like a secret, which would be kept with the data "
                    "and sent where the address leads; expected the name of a place"
                )
            if name not in known:
                raise InputError(f"{where}: ${{{name}}} is not set in the environment")
            return known[name]

        return re.sub(r"\$\{(\w+)\}|\$(\w+)", value, text)


def _made(kind: Callable[..., Made], where: str, options: Json) -> Made:
    """A part of the description; what it refuses is said with the path of its key."""
    try:
        return kind(**options)
    except InputError as error:
        reason = str(error).removeprefix(f"variable {options.get('name')}: ")
        raise InputError(f"{where}: {reason}") from error


def _splits(keys: SplitKeys, where: str) -> Splits:
    """Splits whose keys go with their kind."""
    given = keys.given
    named = [name for name in SPLIT_NAMES if name in given]
    kind = given.setdefault("kind", "dates" if named else "fractions")
    for key in given:
        if key not in ("kind", "gap", *SPLIT_KEYS[kind]):
            kinds = [other for other, takes in SPLIT_KEYS.items() if key in takes]
            raise InputError(
                f"{where}.{key}: means nothing with kind: {kind}; expected kind: "
                f"{' or '.join(kinds)}, or {key} left out"
            )
    for name in named:
        given[name] = _part(given[name], kind, f"{where}.{name}")
    if kind == "blocks" and "block" not in given:
        raise InputError(f"{where}: kind: blocks needs block, a duration such as 30D")
    splits = Splits(**given)
    if splits.folds < FEWEST_FOLDS or not 0 <= splits.fold < splits.folds:
        raise InputError(
            f"{where}: received folds: {splits.folds} and fold: {splits.fold}, expected "
            f"folds of {FEWEST_FOLDS} or more and a fold from 0 to folds less 1"
        )
    return splits


def _part(content: Any, kind: str, where: str) -> tuple[Any, ...]:
    """What one split takes: periods, years or seasons."""
    try:
        if kind == "dates":
            return values.periods(content)
        if kind == "years":
            return values.years(content)
        return values.seasons(content, SEASONS)
    except ValueError as error:
        raise InputError(f"{where}: received {values.shown(content)}, expected {error}") from error
