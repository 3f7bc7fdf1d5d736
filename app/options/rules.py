"""What cannot go together, as rows of a table: when a row is broken, and what it then says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Generic, Protocol, TypeVar

from app.errors import InputError

Subject = TypeVar("Subject", bound="HasTexts")


class HasTexts(Protocol):
    """What rules are about: options that give their values as text."""

    def text(self, name: str) -> str: ...


@dataclass(frozen=True)
class Rule(Generic[Subject]):
    """One row; in the message, {name} stands for the value of the option of that name."""

    broken: Callable[[Subject], object]
    message: str


def refuse(rules: Iterable[Rule[Any]], subject: HasTexts) -> None:
    """InputError with the message of the first rule that is broken."""
    for rule in rules:
        if rule.broken(subject):
            raise InputError(rule.message.format_map(_Texts(subject)))


class _Texts(dict[str, str]):
    """The values of options as text, by name."""

    def __init__(self, subject: HasTexts) -> None:
        super().__init__()
        self._subject = subject

    def __missing__(self, name: str) -> str:
        return self._subject.text(name)


def rising(levels: tuple[float, ...]) -> bool:
    """Whether each number is above the one before."""
    return all(a < b for a, b in pairwise(levels))
