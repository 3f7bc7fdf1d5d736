"""A data description as a commented YAML file."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from app.arrays import Json
from app.data.description import SPLIT_KEYS, DataDescription, Region, Source, Splits, Variable
from app.errors import InputError

WIDTH = 98  # columns of a comment
FILLED_IN = re.compile(r"\$(?:\w|\{)")  # what the reader takes for a variable of the environment
# What is not the same in the reader's keys and in the dataclass, or has no key.
NAMED_APART = frozenset({"name", "level_units", "level", "standard_name"})


def as_yaml(
    description: DataDescription,
    schema: Path,
    notes: Iterable[str],
    hints: Mapping[str, Iterable[str]],
) -> str:
    """The description's keys that differ from their defaults, each part under a comment.

    schema: of the keys, for editors; notes: comments at the top; hints: key → comment at the end of
    that part. InputError where a file's name cannot stand in a YAML.
    """
    assert description.predictand is not None
    parts: list[tuple[str, str, Any]] = [
        (
            "predictand",
            "What is to be downscaled, on its fine grid.",
            _source(description.predictand),
        )
    ]
    if description.predictors:
        predictors = [_source(source) for source in description.predictors]
        parts.append(("predictors", "Coarse inputs, each source on its own grid.", predictors))
    if description.static:
        static = [_source(source) for source in description.static]
        parts.append(("static", "Fields without time that the network is told.", static))
    if description.region is not None:
        parts.append(("region", "Part of the fine grid, in degrees.", _region(description.region)))
    parts.append(("splits", "Which times train, validate and test.", _splits(description.splits)))
    lines = [f"# yaml-language-server: $schema={schema}"]
    lines += [line for note in notes for line in comment(note)]
    for key, text, content in parts:
        lines += ["", *comment(text)]
        dumped = yaml.safe_dump(
            {key: content},
            sort_keys=False,
            allow_unicode=True,
            width=10**6,
            default_flow_style=None,  # innermost mappings and lists on one line
        )
        lines += dumped.rstrip("\n").split("\n")
        lines += [f"  {line}" for hint in hints.get(key, ()) for line in comment(hint)]
    return "\n".join(lines) + "\n"


def comment(text: str) -> list[str]:
    """Lines that begin with #, paths in one piece."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent="# ",
        subsequent_indent="#   ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _source(source: Source) -> Json:
    for file in source.files:
        if FILLED_IN.search(file):
            raise InputError(
                f"{file}: in a YAML, $ and a letter stand for a variable of the environment; "
                "expected a name without"
            )
    files = source.files[0] if len(source.files) == 1 else list(source.files)
    variables = {variable.name: _variable(variable) for variable in source.variables}
    rest = _changed(source, Source(source.files, source.variables))
    return {"files": files, "variables": variables, **rest}


def _variable(variable: Variable) -> Json:
    return _changed(variable, Variable(variable.name, variable.name), NAMED_APART)


def _changed(one: Any, default: Any, without: frozenset[str] = frozenset()) -> Json:
    """Fields of a dataclass that differ from those of another, as YAML has them."""
    return {
        field.name: _plain(getattr(one, field.name))
        for field in fields(one)
        if field.name not in without and getattr(one, field.name) != getattr(default, field.name)
    }


def _plain(value: Any) -> Any:
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _region(region: Region) -> Json:
    return {"lat": list(region.lat), "lon": list(region.lon)}


def _splits(splits: Splits) -> Json:
    keys = [key for key in SPLIT_KEYS[splits.kind] if getattr(splits, key)]
    content = {key: _plain(getattr(splits, key)) for key in keys}
    if splits.kind != "dates":
        content = {"kind": splits.kind, **content}
    elif all(len(periods) == 1 for periods in content.values()):
        content = {key: periods[0] for key, periods in content.items()}
    return content | ({"gap": splits.gap} if splits.gap else {})
