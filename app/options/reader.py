"""The command line and flagfiles to the values of all flags."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from app import plugins
from app.data.reading.paths import is_data, separate
from app.errors import InputError, one_line
from app.options.data import DATA_WAYS
from app.options.option import LISTS, Values, value_from_text
from app.options.table import FLAGS_BY_NAME, KNOWN, main_name
from app.options.words import WORDS
from app.registry import unknown

QUOTES = ('"""', "'''")
PLUGINS = "plugins"  # the flag that names them
Assignments: TypeAlias = list[tuple[str, str]]  # `--name=value` and where it stands


def parse(argv: Sequence[str]) -> tuple[tuple[str, ...], Values]:
    """Stages and the values of all flags; the command line beats flagfiles in any order.

    The plugins that are named are run. InputError, in one line, for whatever is no flag, no value
    of it or no flagfile.
    """
    words: list[str] = []
    options: list[str] = []
    for argument in _joined(argv):
        (options if argument.startswith("-") else words).append(argument)
    from_files = [a for a in options if a.startswith("--flagfile=")]
    sources = [part for a in from_files for part in _flagfile(a.partition("=")[2], Path.cwd(), ())]
    sources.append([(a, "command line") for a in options if a not in from_files])
    named = _last(sources, PLUGINS)
    plugins.use(separate(named) if named and named != "None" else ())
    return tuple(words), _values(sources)


def kept_values(flagfile: Path) -> Values:
    """The values that a run has kept of all flags; no plugin that they name is run.

    Names that its plugins registered are taken as they are. InputError as that of `parse`.
    """
    sources = _flagfile(str(flagfile), Path.cwd(), ())
    return _values(sources, any_name=_last(sources, PLUGINS) is not None)


def _values(sources: Iterable[Assignments], any_name: bool = False) -> Values:
    """The values of all flags after these sources, of which a later one beats an earlier one."""
    values = {name: flag.default for name, flag in FLAGS_BY_NAME.items()}
    for source in sources:
        _assign(values, source, any_name)
    return values


def _last(sources: Iterable[Assignments], name: str) -> str | None:
    """The text that a flag is given at last."""
    found = [a for source in sources for a, _ in source if a.startswith(f"--{name}=")]
    return found[-1].partition("=")[2].strip() if found else None


def assigned_names(argv: Sequence[str]) -> frozenset[str]:
    """The flags named on a command line or in the flagfiles that it names."""
    options = [a for a in _joined(argv) if a.startswith("-")]
    flagfiles = [a.partition("=")[2] for a in options if a.startswith("--flagfile=")]
    inside = [part for name in flagfiles for part in _flagfile(name, Path.cwd(), ())]
    return given_names([*options, *(a for source in inside for a, _ in source)])


def given_names(argv: Sequence[str]) -> frozenset[str]:
    """The flags named on a command line itself, flagfiles aside."""
    return frozenset(_name_of(argument) for argument in without(argv, ()))


def without(argv: Sequence[str], names: Collection[str]) -> tuple[str, ...]:
    """The flags of a command line other than those named; no stages."""
    return tuple(
        argument
        for argument in _joined(argv)
        if argument.startswith("-") and _name_of(argument) not in names
    )


def value_of(name: str, text: str, where: str = "command line") -> Any:
    """The value of a known flag from its text; InputError where it does not take it."""
    return value_from_text(KNOWN[name], text, where)


def _name_of(argument: str) -> str:
    """The flag that `--name=value`, `--name` or `--noname` speaks of."""
    name = argument.lstrip("-").partition("=")[0]
    negated = name.startswith("no") and name not in KNOWN and name[2:] in KNOWN
    return main_name(name[2:] if negated else name)


def _joined(argv: Sequence[str]) -> Iterator[str]:
    """Arguments with `--name value` written as `--name=value`, `-name` as `--name`.

    Files that follow the value of a flag that takes several join it, as a shell writes a pattern
    out: `--data a.nc b.nc` is `--data=a.nc,b.nc`.
    """
    rest = deque(argv)
    while rest:
        argument = rest.popleft()
        if not argument.startswith("-"):
            yield argument
            continue
        name, equals, value = argument.lstrip("-").partition("=")
        takes_value = name == "flagfile" or (name in KNOWN and not KNOWN[name].bare)
        if not equals and not takes_value:
            yield "--" + name
            continue
        if not equals:
            if not rest:
                raise InputError(f"command line: --{name} needs a value")
            value = rest.popleft()
        if name in KNOWN and KNOWN[name].several:
            value = ",".join((value, *_files_first(rest)))
        yield f"--{name}={value}"


def _files_first(rest: deque[str]) -> Iterator[str]:
    """Takes away, and gives, the arguments at the front that name existing data and no stage."""
    while rest and rest[0] not in WORDS and not rest[0].startswith("-") and is_data(rest[0]):
        yield rest.popleft()


def _flagfile(name: str, base: Path, parents: tuple[Path, ...]) -> list[Assignments]:
    """The flags of a flagfile; those of a nested one come before the lines of its parent."""
    try:
        path = (base / Path(name).expanduser()).resolve()
        if path.exists() and not path.is_file():
            raise InputError(f"--flagfile={name}: {path} is no file")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError, RuntimeError) as error:  # the last: ~NOBODY, links in a circle
        raise InputError(f"--flagfile={name}: cannot read it ({one_line(error)})") from error
    if path in parents:
        raise InputError(f"flagfile {path} includes itself")
    sources: list[Assignments] = []
    own: Assignments = []
    for number, line in _flag_lines(text, path):
        if not line.startswith("-"):
            raise InputError(f"{path}, line {number}: expected --flag=value, received {line!r}")
        argument = "--" + line.lstrip("-")
        if argument.startswith(("--flagfile=", "--flagfile ")):
            nested = argument[len("--flagfile") + 1 :].strip()
            sources += _flagfile(nested, path.parent, (*parents, path))
        else:
            own.append((argument, f"{path}, line {number}"))
    return [*sources, own]


def _flag_lines(text: str, path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are neither blank, comments, section banners nor within a quoted heading."""
    closing = ""
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip().lstrip("\ufeff")
        if closing:
            closing = "" if closing in line else closing
        elif line.startswith(QUOTES):
            quote = line[:3]
            closing = "" if quote in line[3:] else quote
        elif line and not line.startswith(("#", "//")):
            yield number, line
    if closing:
        raise InputError(f"{path}: a heading opened with {closing} is never closed")


def _assign(values: Values, arguments: Assignments, any_name: bool) -> None:
    """Assign `--name=value` arguments of one source, each with where it stands.

    Lists start anew with each source. any_name: registered names may be unknown ones.
    """
    begun: set[str] = set()
    for argument, where in arguments:
        name, equals, text = argument[2:].partition("=")
        name = name.strip()
        if not equals and _switches_off(name):
            name, equals, text = name[2:], "=", "false"
        flag = KNOWN.get(name)
        if flag is None:
            raise InputError(f"{where}: {_unknown_flag(argument)}")
        if not equals and not flag.bare:
            raise InputError(f"{where}: --{name} needs a value (--{name}=…)")
        if any_name and flag.registry and equals:
            flag = replace(flag, kind="text")
        name = flag.name
        value = value_from_text(flag, text.strip() if equals else "true", where)
        if flag.kind in LISTS and name in begun and None not in (value, values[name]):
            value = (*values[name], *value)
        values[name] = value
        begun.add(name)
    _replace_data(values, begun)


def _switches_off(name: str) -> bool:
    """Whether it is "no" before a flag that is either true or false."""
    negated = KNOWN.get(name.removeprefix("no")) if name not in KNOWN else None
    return negated is not None and negated.bare and name.startswith("no")


def _replace_data(values: Values, begun: set[str]) -> None:
    """Data named by one source of flags take the place of those that earlier sources name."""
    named = [way for way in DATA_WAYS if way in begun and values[way] is not None]
    if not named:
        return
    for way, companions in DATA_WAYS.items():
        if way not in named:
            values.update(dict.fromkeys({way, *companions} - begun))


def _unknown_flag(argument: str) -> str:
    name = argument[2:].partition("=")[0]
    return unknown("flag", name, tuple(KNOWN)).partition("; known:")[0] + "; see --help"
