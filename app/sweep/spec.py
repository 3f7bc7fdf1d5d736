"""What is swept: lists of values on the command line or in a YAML file."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from app.data.reading.paths import local
from app.data.reading.yaml_text import read_yaml
from app.data.reading.yaml_values import shown
from app.errors import InputError
from app.options import KNOWN, SECTIONS, as_text, main_name, value_of
from app.registry import unknown

FLAGFILE, SEED = "flagfile", "seed"
YAML_SUFFIXES = (".yml", ".yaml")
SEED_COUNT = re.compile(r"[1-9]\d{0,5}")
KEYS = ("flagfiles", "seeds", "exclude", "include", "compare")
OWN_FLAGS = frozenset(
    {"save_path", "output", "overwrite", "train", "test", "metrics"}
    | {flag.name for flag in SECTIONS["SWEEP"]}
)
OPENING, CLOSING = "[(", ")]"

Changes = dict[str, str]  # flag → its text, in the order in which the flags were named


@dataclass(frozen=True)
class Spec:
    """A sweep before its members are resolved.

    choices: the changes of every member; exclude: members that match one of these are left
    out; compare: pairs of selections whose members are compared.
    """

    choices: tuple[Changes, ...]
    exclude: tuple[Changes, ...] = ()
    compare: tuple[tuple[Changes, Changes], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All flags that any member changes."""
        return tuple(dict.fromkeys(name for changes in self.choices for name in changes))


def read_spec(text: str) -> Spec:
    """The sweep of `--sweep`: a YAML file by its suffix, else lists of values."""
    return _from_yaml(text) if text.endswith(YAML_SUFFIXES) else _from_text(text)


def canonical(changes: Mapping[str, str]) -> Changes:
    """Changes as they compare: values as flags are written back, files by their full path."""
    return {
        name: str(Path(text).resolve()) if name == FLAGFILE else as_text(value_of(name, text))
        for name, text in sorted((main_name(name), text) for name, text in changes.items())
    }


def _from_text(text: str) -> Spec:
    """`flag=value,value;flag=value`; commas within brackets belong to a value."""
    axes: dict[str, list[str]] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, values = part.partition("=")
        name = main_name(name.strip().lstrip("-"))
        if not equals or not values.strip():
            raise InputError(
                f"--sweep: expected FLAG=VALUE,VALUE or a .yml file, received {part!r}"
            )
        if name in axes:
            raise InputError(f"--sweep: {name} is named twice")
        axes[name] = _checked(name, _split(values), "--sweep")
    if not axes:
        raise InputError("--sweep: expected FLAG=VALUE,VALUE;FLAG=VALUE or a .yml file")
    return Spec(_product(axes))


def _split(text: str) -> list[str]:
    values, depth = [""], 0
    for character in text:
        depth += (character in OPENING) - (character in CLOSING)
        if character == "," and depth == 0:
            values.append("")
        else:
            values[-1] += character
    return [value.strip() for value in values]


def _from_yaml(name: str) -> Spec:
    """Flags with lists of values, and the keys that say more than that."""
    path = local(name)
    content = read_yaml(path, "--sweep")
    if not isinstance(content, dict) or not content:
        raise InputError(f"{path}: expected flags with lists of values, received {shown(content)}")
    reader = _YamlReader(str(path), path.parent)
    axes: dict[str, list[str]] = {}
    if content.get("flagfiles"):
        axes[FLAGFILE] = reader.texts(FLAGFILE, content["flagfiles"])
    for flag, values in content.items():
        if flag in KEYS:
            continue
        name = main_name(str(flag))
        if name in axes:
            raise InputError(f"{path}: {name} is named twice")
        axes[name] = reader.texts(name, values)
    seeds = reader.seeds(content.get("seeds"))
    included = [reader.selection(entry, "include") for entry in _list(content.get("include"))]
    members = (*(_product(axes) if axes else ()), *included)
    if not members and not seeds:
        raise InputError(f"{path}: no flag, flagfile or seed to sweep")
    return Spec(
        _with_seeds(members or ({},), seeds, str(path)),
        tuple(reader.selection(entry, "exclude") for entry in _list(content.get("exclude"))),
        tuple(reader.pair(entry) for entry in _list(content.get("compare"))),
    )


@dataclass(frozen=True)
class _YamlReader:
    where: str
    folder: Path

    def texts(self, name: str, values: Any) -> list[str]:
        """Values of one flag as texts; a list within the list is one value with commas."""
        if not isinstance(values, list) or not values:
            raise InputError(
                f"{self.where}: {name}: expected a list of values, received {shown(values)}"
            )
        return self.checked(name, [self.text(name, value) for value in values])

    def text(self, name: str, value: Any) -> str:
        text = as_text(value) if value is not None else "None"
        return os.path.relpath(self.folder / text) if name == FLAGFILE else text

    def checked(self, name: str, texts: list[str]) -> list[str]:
        return _checked(name, texts, self.where)

    def seeds(self, given: Any) -> list[str]:
        """A list of seeds, or how many there are from 0 on."""
        if given is None:
            return []
        counted = isinstance(given, str) and SEED_COUNT.fullmatch(given)
        return self.texts(SEED, list(range(int(given))) if counted else given)

    def selection(self, entry: Any, key: str) -> Changes:
        if not isinstance(entry, dict) or not entry:
            raise InputError(f"{self.where}: {key}: expected FLAG: VALUE, received {shown(entry)}")
        return {
            name: self.checked(name, [self.text(name, value)])[0]
            for name, value in ((main_name(str(given)), value) for given, value in entry.items())
        }

    def pair(self, entry: Any) -> tuple[Changes, Changes]:
        if not isinstance(entry, list) or len(entry) != 2:
            raise InputError(
                f"{self.where}: compare: expected pairs [{{FLAG: VALUE}}, {{FLAG: VALUE}}], "
                f"received {shown(entry)}"
            )
        return self.selection(entry[0], "compare"), self.selection(entry[1], "compare")


def _list(entries: Any) -> list[Any]:
    return entries if isinstance(entries, list) else [entries] if entries else []


def _checked(name: str, texts: list[str], where: str) -> list[str]:
    """The texts, once the flag is known, may be swept and takes them."""
    if name != FLAGFILE:
        if name in OWN_FLAGS:
            raise InputError(f"{where}: --{name} belongs to the whole sweep and cannot be swept")
        if name not in KNOWN:
            text = unknown("flag", name, tuple(KNOWN)).partition("; known:")[0]
            raise InputError(f"{where}: {text}; see --help")
        for text in texts:
            value_of(name, text, where)
    return texts


def _product(axes: Mapping[str, Sequence[str]]) -> tuple[Changes, ...]:
    """All combinations, the last flag varying fastest."""
    return tuple(dict(zip(axes, values, strict=True)) for values in product(*axes.values()))


def _with_seeds(members: tuple[Changes, ...], seeds: list[str], where: str) -> tuple[Changes, ...]:
    if not seeds:
        return members
    if any(SEED in changes for changes in members):
        raise InputError(f"{where}: seed is named beside seeds; expected one of them")
    return tuple({**changes, SEED: seed} for changes in members for seed in seeds)
