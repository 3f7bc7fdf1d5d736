"""All flags as the text of --help, and their values as a flagfile."""

from __future__ import annotations

import textwrap

from app.options.option import Option, Values, as_text
from app.options.table import SECTIONS

HELP_WIDTH = 100


def help_text(usage: str) -> str:
    """All flags by section, each with its choices and default."""
    lines = [usage.rstrip()]
    for section, members in SECTIONS.items():
        lines += ["", section]
        for flag in members:
            lines += _help_of(flag)
    return "\n".join(lines)


def as_flagfile(values: Values) -> str:
    """The values as a flagfile that gives the same values again; None is left out."""
    lines = []
    for section, members in SECTIONS.items():
        lines.append(f'""" {section} """')
        for flag in members:
            value = values[flag.name]
            if value is not None:
                lines.append(f"--{flag.name}={as_text(value)}")
    return "\n".join(lines) + "\n"


def _help_of(flag: Option) -> list[str]:
    default = "none" if flag.default is None else as_text(flag.default)
    choices = f" [{'|'.join(flag.choices)}]" if flag.choices else ""
    text = f"{flag.help}{choices} (default: {default})"
    return textwrap.wrap(
        text,
        HELP_WIDTH,
        initial_indent=f"  --{flag.name:<24}",
        subsequent_indent=" " * 28,
    )
