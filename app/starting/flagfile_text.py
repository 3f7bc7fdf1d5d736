"""An experiment as a commented flagfile."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from app.options import SECTIONS, Values, as_text
from app.options.option import Option
from app.starting.description_text import comment

OFFERED = ("MODEL", "TRAINING")  # sections whose common flags stand there to be changed


def as_commented_flagfile(notes: Iterable[str], values: Values, given: Collection[str]) -> str:
    """The flags of `given` with their values, and the common ones of others as comments.

    Each stands under its help.
    """
    lines = [line for note in notes for line in comment(note)]
    for section, members in SECTIONS.items():
        shown = [
            flag
            for flag in members
            if flag.name in given
            or (section in OFFERED and flag.common and flag.default is not None)
        ]
        if shown:
            lines += ["", f'""" {section} """']
            lines += [line for flag in shown for line in _flag(flag, values, flag.name in given)]
    return "\n".join(lines) + "\n"


def _flag(flag: Option, values: Values, given: bool) -> list[str]:
    choices = f" [{'|'.join(flag.choices)}]" if flag.choices else ""
    value = as_text(values[flag.name] if given else flag.default)
    return [*comment(f"{flag.help}{choices}"), f"{'' if given else '#'}--{flag.name}={value}"]
