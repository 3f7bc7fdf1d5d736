"""Data descriptions without YAML: from flags, or from a module of arrays."""

from __future__ import annotations

from pathlib import Path

from app.arrays import Json
from app.data.description import DataDescription, Source, Variable
from app.data.reading.paths import REMOTE, SYNTHETIC, absolute, leads_somewhere, local, separate
from app.errors import InputError

# What --data=synthetic --variable=NAME need not be told.
SYNTHETIC_OPTIONS: dict[str, Json] = {
    "pr": {"units": "mm h-1", "kind": "ratio", "valid_min": 0.0, "transform": "sqrt"},
}


def from_files(data: str, variable: str | None, static: str | None) -> DataDescription:
    """A description without YAML: PerfectProg, 70/15/15 in time order."""
    names = [part.strip() for part in (variable or "").split(",") if part.strip()]
    if not names:
        raise InputError(f"--data={data}: expected --variable=NAME beside it")
    if len(set(names)) < len(names):
        raise InputError(f"--variable={variable}: expected each name once")
    files = separate(data)
    if not files:
        raise InputError(f"--data={data}: expected files")
    return DataDescription(
        predictand=Source(
            files=tuple(absolute(part, Path.cwd()) for part in files),
            variables=tuple(_plain_variable(name, data) for name in names),
        ),
        static=statics(static) if static else (),
    )


def from_module(name: str, explicit: bool, inference_array_in_hr: bool) -> DataDescription:
    """A description whose arrays a Python file holds."""
    path = local(name)
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


def statics(text: str) -> tuple[Source, ...]:
    """Sources of FILE:VARIABLE, several with commas; a file's name may have colons and commas."""
    parts = separate(text, lambda part: leads_somewhere(part.rpartition(":")[0]))
    return tuple(_static(part) for part in parts)


def _static(text: str) -> Source:
    file, _, variable = (part.strip() for part in text.rpartition(":"))
    if not file or not variable or "/" in variable or file + REMOTE == text[: len(file) + 3]:
        raise InputError(f"--static={text}: expected FILE:VARIABLE")
    return Source(files=(absolute(file, Path.cwd()),), variables=(Variable(variable, variable),))
