"""An experiment as a commented flagfile."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from app.options import SECTIONS, Values, as_text
from app.options.option import Option
from app.starting.description_text import comment

OFFERED = ("MODEL", "TRAINING")  # sections whose common flags stand there to be changed


def as_commented_flagfile(
    notes: Iterable[str], values: Values, given: Collection[str], chosen: Collection[str] = ()
) -> str:
    """The flags of `given` with their values, and the common ones of others as comments.

    Each stands under its help, which says of those in `chosen` that a recipe sets them.
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
            for flag in shown:
                lines += _flag(flag, values, flag.name in given, flag.name in chosen)
    return "\n".join(lines) + "\n"


def _flag(flag: Option, values: Values, given: bool, chosen: bool) -> list[str]:
    by_recipe = " The recipe sets it, unless you do." if chosen and not given else ""
    choices = f" [{'|'.join(flag.choices)}]" if flag.choices else ""
    value = as_text(values[flag.name] if given else flag.default)
    return [
        *comment(f"{flag.help}{choices}{by_recipe}"),
        f"{'' if given else '#'}--{flag.name}={value}",
    ]
