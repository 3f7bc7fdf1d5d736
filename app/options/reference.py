"""All flags as a page of Markdown, from the same fields as --help."""

from __future__ import annotations

import re
from collections.abc import Iterable

from app.options.bounds import Bounds
from app.options.option import LISTS, Option, as_text, options_of
from app.options.table import FLAGS_BY_NAME, GROUPS
from app.registry import REGISTRY

HIGHEST_SHOWN = (
    1e5  # upper limits above only keep slips of the keyboard out, see app.options.bounds
)
FLAG = re.compile(r"--\w+(?:=[\w/]+)?")
KIND_WORDS = {"bool": "true, false", "int": "whole number", "float": "number", "text": "text"}
INTRODUCTION = """\
# Options

*Written by `python scripts/write_options.py` from the code: do not edit.*

All {count} flags, by the sections of `--help`. Flags in **bold** are those that most runs need.
Flags with a † may change between two calls on one run folder: they change nothing that is learnt.
A flag of true and false may stand alone (`--early_stopping`) or with `no` before its name
(`--nolr_scaling`). The value `None` unsets a flag that has no default. Lists have commas between
their values. [What the choices mean](#what-the-choices-mean) is at the end; `finescale list` prints
the same, with baselines, metrics and plugins.
"""


def reference() -> str:
    """The page: a table for each group of flags, then what the registered choices mean."""
    lines = [INTRODUCTION.format(count=len(FLAGS_BY_NAME))]
    for section, groups in GROUPS.items():
        lines += [f"## {section.capitalize()}", ""]
        for group in groups:
            lines += [str(group.__doc__).partition("\n")[0], ""]
            rows = [_row(FLAGS_BY_NAME[one.name]) for one in options_of(group)]
            lines += [*_table(("flag", "default", "values", "meaning"), rows), ""]
    lines += ["## What the choices mean", ""]
    for kind in dict.fromkeys(one.registry for one in FLAGS_BY_NAME.values() if one.registry):
        flags = [f"`--{one.name}`" for one in FLAGS_BY_NAME.values() if one.registry == kind]
        names = REGISTRY.names(kind)
        meanings = [(f"`{name}`", REGISTRY.entry(kind, name).summary) for name in names]
        lines += [", ".join(flags), "", *_table(("choice", "meaning"), meanings), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _row(flag: Option) -> tuple[str, ...]:
    name = f"`--{flag.name}`"
    name = f"**{name}**" if flag.common else name
    also = "".join(f"<br>also `--{alias}`" for alias in flag.aliases)
    default = "" if flag.default is None else f"`{as_text(flag.default)}`"
    help_text = FLAG.sub(r"`\g<0>`", flag.help)
    return name + ("†" if flag.free else "") + also, default, _values(flag), help_text


def _values(flag: Option) -> str:
    """What the flag takes, such as "whole number from 1, in s"."""
    if flag.choices:
        listed = ", ".join(f"`{name}`" for name in flag.choices)
        return f"list of {listed}" if flag.kind == "names" else listed
    words = "list" if flag.kind in LISTS else KIND_WORDS[flag.kind]
    unit = f", in {flag.unit}" if flag.unit else ""
    return words + _range(flag.bounds) + unit


def _range(bounds: Bounds | None) -> str:
    if bounds is None:
        return ""
    parts = []
    if abs(bounds.least) < HIGHEST_SHOWN:
        parts.append(f"{'from' if bounds.with_least else 'above'} {bounds.least}")
    if bounds.most < HIGHEST_SHOWN:
        parts.append(f"{'to' if bounds.with_most else 'below'} {bounds.most}")
    return " " + ", ".join(parts) if parts else ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """The lines of a table of Markdown."""
    cells = [head, ("---",) * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in cells]
