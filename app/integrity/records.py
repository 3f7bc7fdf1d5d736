"""The program's own JSON files: an object of known types with a checksum of its content."""

from __future__ import annotations

import json
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from typing_extensions import is_typeddict

from app.arrays import Json
from app.errors import InputError, one_line
from app.integrity.blocks import crc
from app.running.atomic import write_text

SEAL = "crc32c"  # key of the checksum
T = TypeVar("T")


class Damaged(InputError):
    """A file of ours that is not as it was written."""


def sealed(content: Json) -> Json:
    """The content with its checksum as the last key."""
    rest = json.loads(json.dumps({n: v for n, v in content.items() if n != SEAL}))
    return {**rest, SEAL: _checksum(rest)}


def write_record(path: Path, content: Json) -> None:
    """Replace a file in one step, its checksum in it."""
    write_text(path, json.dumps(sealed(content), indent=2) + "\n")


def read_record(path: Path, kind: type[T], hint: str = "") -> T | None:
    """Content of a file without its checksum; None where there is no such file.

    kind: a TypedDict, or dict. Files from before there were checksums have none, and are taken.
    Damaged where the file cannot be read, its checksum differs or a type is another; `hint` tells
    what helps.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Damaged(f"{path}: cannot be read ({error.strerror})") from error
    try:
        return parsed(text, kind)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path}: damaged ({one_line(error)}){hint and f'; {hint}'}") from error


def parsed(text: bytes, kind: type[T]) -> T:
    """The content of a record from its bytes; ValueError, in a few words, where it is damaged."""
    content = json.loads(text.decode("utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"holds a {type(content).__name__}, expected an object")
    seal = content.pop(SEAL, None)
    if seal is not None and seal != _checksum(content):
        raise ValueError("its checksum differs")
    return checked(content, kind)


def checked(content: Any, kind: type[T]) -> T:
    """Content of no other keys and types than a kind has; ValueError names the first that is not.

    kind: a TypedDict, a dataclass, or dict.
    """
    from pydantic import TypeAdapter, ValidationError  # takes a while to load

    if is_typeddict(kind) or is_dataclass(kind):
        unknown = content.keys() - kind.__annotations__.keys()
        if unknown:
            raise ValueError(f"holds an unknown {min(unknown)!r}")
    try:
        return TypeAdapter(kind).validate_python(content, strict=not is_dataclass(kind))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from error


def _checksum(content: Json) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"{crc(text.encode()):08x}"
