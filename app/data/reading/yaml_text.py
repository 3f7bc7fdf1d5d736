"""The text of a YAML file as mappings, lists and texts: nothing is taken for what it is not.

Numbers, dates and words such as `no` stay the text that was written; what a key expects tells
what it is (`yaml_keys`). YAML 1.1 would make false of `no`, 750 of `12:30` and 8 of `010`.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any

import yaml

from app.arrays import Json
from app.errors import InputError

LARGEST_BYTES = 2**20  # of a file; a data description has some kilobytes
LARGEST_NODES = 100_000  # with all aliases written out
ENCODINGS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NULLS = re.compile(r"~|null|Null|NULL|")
NO_TEXT = re.compile(r"[\x00\ud800-\udfff]")  # what an escape such as "\0" can make
PREFIX = "tag:yaml.org,2002:"
PLAIN_TAGS = frozenset(PREFIX + name for name in ("str", "null", "seq", "map", "merge"))


class Plain(str):
    """A text that was written without quotes: a number, a date, true, or a word."""

    __slots__ = ()


class Refused(Exception):
    """What is wrong with a text, in one line."""


def read_yaml(path: Path, flag: str) -> Any:
    """What a YAML file holds; InputError in one line, with the file and the line in it."""
    try:
        return parse_yaml(_text_of(path))
    except Refused as error:
        raise InputError(f"{flag}={path}: {error}") from error


def parse_yaml(text: str) -> Any:
    """What a YAML text holds: dict, list, str, `Plain` and None; Refused where it is no YAML."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _expanded_size(node, {})
        return loader.construct_document(node)
    except yaml.reader.ReaderError as error:
        line = text[: int(error.position)].count("\n") + 1
        raise Refused(
            f"line {line}: not readable as YAML (the character {text[int(error.position)]!r} may "
            "not stand in a text)"
        ) from error
    except yaml.MarkedYAMLError as error:
        raise Refused(_words(error)) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        reason = " ".join(str(error).split())
        raise Refused(f"not readable as YAML ({reason})") from error
    except RecursionError as error:
        raise Refused("not readable as YAML (too many lists in one another)") from error


def _text_of(path: Path) -> str:
    try:
        if not path.exists():
            raise Refused("no such file")
        if not path.is_file():
            raise Refused("expected a file; this is a folder, pipe or device")
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise Refused(f"has {size} bytes; expected a YAML data description, not data")
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Refused(f"cannot be read ({reason})") from error
    encoding = next((name for mark, name in ENCODINGS if content.startswith(mark)), "utf-8-sig")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise Refused(
            f"line {line}: no {error.encoding.upper()} text (byte 0x{content[error.start]:02x}); "
            "save the file as UTF-8"
        ) from error


def _words(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    problem = " ".join((error.problem or error.context or "").split())
    if "\\t" in problem:
        problem = "a tab stands where blanks are expected"
    where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
    return f"{where}not readable as YAML ({problem})"


def _expanded_size(node: yaml.Node, known: dict[int, int | None]) -> int:
    """Nodes with all aliases written out; Refused where a few lines would become millions."""
    if id(node) in known:
        size = known[id(node)]
        if size is None:
            raise Refused(f"{_line(node)}: an alias stands within what it stands for")
        return size
    known[id(node)] = None
    _check(node)
    total = 1
    for child in _children(node):
        total += _expanded_size(child, known)
        if total > LARGEST_NODES:
            raise Refused(f"{_line(node)}: more than {LARGEST_NODES} values, aliases written out")
    known[id(node)] = total
    return total


def _check(node: yaml.Node) -> None:
    """No tags; keys are names that stand there once."""
    if node.tag not in PLAIN_TAGS:
        tag = node.tag.replace(PREFIX, "!!")
        raise Refused(f"{_line(node)}: the tag {tag} is not taken; write the plain value")
    if isinstance(node, yaml.ScalarNode) and (odd := NO_TEXT.search(node.value)):
        raise Refused(f"{_line(node)}: the character {odd[0]!r} may not stand in a text")
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise Refused(f"{_line(key)}: a key is a list or a mapping; expected a name")
        if NULLS.fullmatch(key.value):
            raise Refused(f"{_line(key)}: a key is empty; expected a name before the colon")
        if key.value in seen:
            raise Refused(f"{_line(key)}: the key {key.value} stands twice in one mapping")
        seen.add(key.value)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _line(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"


class _Loader(yaml.SafeLoader):
    """Scalars as they were written."""

    yaml_implicit_resolvers: Json = {}  # noqa: RUF012 - as the base class has it


def _scalar(loader: _Loader, node: yaml.ScalarNode) -> str | None:
    if node.style is not None:
        return str(node.value)
    return None if NULLS.fullmatch(node.value) else Plain(node.value)


_Loader.add_constructor(PREFIX + "str", _scalar)
_Loader.add_constructor(PREFIX + "null", _scalar)
_Loader.add_implicit_resolver(PREFIX + "merge", re.compile("<<"), ["<"])
