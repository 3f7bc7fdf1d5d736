"""All flags as the text of --help, and their values as a flagfile."""

from __future__ import annotations

import textwrap

from app.errors import InputError
from app.options.chosen import readers_of
from app.options.option import Option, Values, as_text
from app.options.table import FLAGS_BY_NAME, SECTIONS
from app.registry import unknown

HELP_WIDTH = 100
ALL = "all"  # what --help=all asks for


def help_text(usage: str, wanted: str = "") -> str:
    """Flags by section, each with its choices and default.

    wanted: "all", or the name of a section; otherwise only the flags that most runs need are named.
    Raises InputError for a section that is not there.
    """
    sections = {name.lower(): members for name, members in SECTIONS.items()}
    if wanted not in ("", ALL, *sections):
        raise InputError(f"--help={wanted}: {unknown('section', wanted, (ALL, *sections))}")
    lines = [usage.rstrip()]
    for section, members in sections.items():
        shown = [flag for flag in members if flag.common or wanted in (ALL, section)]
        if shown and wanted in ("", ALL, section):
            lines += ["", section.upper(), *(line for flag in shown for line in _help_of(flag))]
    if not wanted:
        lines += [
            "",
            f"These are the flags that most runs need. All {len(FLAGS_BY_NAME)}: --help=all",
        ]
        lines += [f"Those of one section: --help=SECTION, one of {', '.join(sections)}"]
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
    unit = f"; unit: {flag.unit}" if flag.unit else ""
    also = "".join(f"; also: --{name}" for name in flag.aliases)
    methods = ", ".join(readers_of(flag.name))
    meaning = f"{flag.help.removesuffix('.')} ({methods})." if methods else flag.help
    text = f"{meaning}{choices} (default: {default}{unit}{also})"
    return textwrap.wrap(
        text, HELP_WIDTH, initial_indent=f"  --{flag.name:<24}", subsequent_indent=" " * 28
    )
