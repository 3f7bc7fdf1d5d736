"""One option: a field of a dataclass that is a flag too; its value as text and from text."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, ClassVar, Self, TypedDict, TypeVar, Unpack, overload

from absl import flags as absl_flags

from app.arrays import Json
from app.errors import InputError
from app.options.bounds import Bounds
from app.options.rules import Rule, refuse
from app.registry import REGISTRY

Values = Json  # the values of all flags, by name
T = TypeVar("T")
Reader = Callable[[Any, str], T]  # from a flag's value and its name to the field's value

EXPECTED = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "floats": "numbers with commas between",
    "ints": "whole numbers with commas between",
}
KINDS = {
    "bool": "bool",
    "int": "int",
    "float": "float",
    "str": "text",
    "tuple[float, ...]": "floats",
    "tuple[int, ...]": "ints",
}
PARSERS: dict[str, type[absl_flags.ArgumentParser[Any]]] = {
    "bool": absl_flags.BooleanParser,
    "int": absl_flags.IntegerParser,
    "float": absl_flags.FloatParser,
}
NO_NAMES = "none"
NO_LINE = re.compile(r"[\x00\n\r\ud800-\udfff]")  # what a flagfile could not hold
LISTS: dict[str, Callable[[str], Any]] = {"floats": float, "ints": int}
OPTION = "option"  # key of a field's metadata
OWN_NAME = "its own name"  # of a registered option: its kind in the registry is called as it is


@dataclass(frozen=True)
class Option:
    """What a field says of its flag.

    default: the flag's value where nothing is given, as a flagfile would give it.
    kind: bool, int, float, floats, ints, text, or with `choices` enum or names. The value of
    names is a tuple of choices in their order, () for "none".
    read: from the flag's value to the field's, where they differ; raises InputError.
    free: may differ between two calls on one run folder, as it changes nothing that is learnt.
    common: named by the short --help.
    several: takes several files; those that a shell has put behind its value belong to it.
    """

    default: Any
    help: str
    name: str = ""
    kind: str = ""
    listed: tuple[str, ...] = ()
    registry: str = ""
    truths: tuple[str, str] | None = None  # choices that true, or the bare flag, and false mean
    bounds: Bounds | None = None
    unit: str = ""
    read: Reader[Any] | None = None
    free: bool = False
    common: bool = False
    several: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def choices(self) -> tuple[str, ...]:
        """The values there are; what is registered later is among them."""
        return REGISTRY.names(self.registry) if self.registry else self.listed

    @property
    def bare(self) -> bool:
        """Whether the flag may stand without a value."""
        return self.kind == "bool" or self.truths is not None

    def of(self, values: Values) -> Any:
        """The field's value, of the values of all flags."""
        value = values[self.name]
        return value if self.read is None else self.read(value, self.name)


class _Said(TypedDict, total=False):
    kind: str
    choices: tuple[str, ...]
    registry: str
    truths: tuple[str, str]
    bounds: Bounds
    unit: str
    free: bool
    common: bool
    several: bool
    aliases: tuple[str, ...]


@overload
def option(default: object, help: str, *, read: Reader[T], **said: Unpack[_Said]) -> T: ...
@overload
def option(default: T, help: str, **said: Unpack[_Said]) -> T: ...
def option(default: Any, help: str, *, read: Any = None, **said: Any) -> Any:
    """A field of `Options` that is a flag; see `Option` for what may be said of it."""
    listed = said.pop("choices", ())
    metadata = {OPTION: Option(default, help, listed=listed, read=read, **said)}
    if read is None:
        return field(default=default, metadata=metadata)
    return field(default_factory=lambda: read(default, ""), metadata=metadata)


def registered(default: T, help: str, **said: Unpack[_Said]) -> T:
    """An option whose choices are the names that the registry knows of its kind."""
    said.setdefault("registry", OWN_NAME)
    return option(default, help, **said)


def options_of(group: type[Options]) -> tuple[Option, ...]:
    """The options of a dataclass, in the order of its fields."""
    return tuple(_named(one) for one in fields(group) if OPTION in one.metadata)


def names_of(*groups: type[Options]) -> tuple[str, ...]:
    """Names of the flags of several groups."""
    return tuple(one.name for group in groups for one in options_of(group))


def _named(one: Field[Any]) -> Option:
    """What a field says of its flag, with its name and the kind that its type tells."""
    said: Option = one.metadata[OPTION]
    annotation = str(one.type).removesuffix(" | None")
    if said.listed or said.registry:
        kind = "names" if annotation.startswith("tuple") else "enum"
    else:
        kind = said.kind or ("text" if said.read else KINDS[annotation])
    known_as = one.name if said.registry == OWN_NAME else said.registry
    return replace(said, name=one.name, kind=kind, registry=known_as)


@dataclass(frozen=True)
class Options:
    """The base of the dataclasses whose fields are flags; they refuse what breaks their rules."""

    rules: ClassVar[tuple[Rule[Any], ...]] = ()

    def __post_init__(self) -> None:
        refuse(self.rules, self)

    @classmethod
    def of(cls, values: Values, **changed: Any) -> Self:
        """These options of the values of all flags; `changed`: fields that come from elsewhere."""
        wanted = [one for one in options_of(cls) if one.name not in changed]
        return cls(**{one.name: one.of(values) for one in wanted}, **changed)

    def text(self, name: str) -> str:
        """An option's value as the flag would give it."""
        return as_text(getattr(self, name))


def as_text(value: Any) -> str:
    """A value as it stands in a flagfile."""
    if isinstance(value, bool):
        return str(value).lower()
    if value == ():
        return NO_NAMES
    if value is None:
        return "None"
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def value_from_text(flag: Option, text: str, where: str) -> Any:
    """The text as the flag's value; "None" unsets a flag that has no default.

    Raises InputError for text that is no such value, and for numbers out of the flag's bounds.
    """
    if text in ("None", "") and flag.default is None:
        return None
    if odd := NO_LINE.search(text):
        raise InputError(
            f"{where}: --{flag.name}: expected one line of UTF-8 text, received {odd[0]!r} in it"
        )
    if flag.kind == "text":
        return text
    try:
        if flag.truths is not None and text not in flag.choices:
            yes, no = flag.truths
            return yes if absl_flags.BooleanParser().parse(text) else no
        if flag.kind in LISTS:
            number = LISTS[flag.kind]
            value: Any = tuple(number(part) for part in text.strip("[]()").split(","))
        elif flag.kind == "names":
            value = _names(flag, text)
        else:
            value = _parser(flag).parse(text)
    except ValueError as error:
        expected = f"one of {', '.join(flag.choices)}" if flag.choices else EXPECTED[flag.kind]
        if flag.kind == "names":
            expected = f"{NO_NAMES}, or some of {', '.join(flag.choices)} with commas between"
        raise InputError(f"{where}: --{flag.name}={text}: expected {expected}") from error
    _check_bounds(flag, value, text, where)
    return value


def _check_bounds(flag: Option, value: Any, text: str, where: str) -> None:
    """InputError where a number, or one of a list, is beyond what the flag accepts."""
    numbers = value if flag.kind in LISTS else (value,)
    if flag.bounds is not None and not all(map(flag.bounds.holds, numbers)):
        raise InputError(f"{where}: --{flag.name}={text}: expected {flag.bounds.around(flag.name)}")


def _names(flag: Option, text: str) -> tuple[str, ...]:
    given = [part.strip() for part in text.split(",")] if text != NO_NAMES else []
    if not set(given) <= set(flag.choices):
        raise ValueError
    return tuple(name for name in flag.choices if name in given)


def _parser(flag: Option) -> absl_flags.ArgumentParser[Any]:
    if flag.kind == "enum":
        return absl_flags.EnumParser(flag.choices)
    return PARSERS[flag.kind]()
