"""What the options ask of the training method that --trainer names.

Methods stand above the options, which reach them by the registry alone.
"""

from __future__ import annotations

from typing import Any

from app.registry import REGISTRY

KIND = "trainer"  # the flag that names a method, and its kind in the registry


def method_named(name: str) -> Any:
    """The method that --trainer=`name` chooses. Raises InputError where there is none."""
    REGISTRY.check(KIND, name)
    return REGISTRY.resolve(KIND, name)(name, REGISTRY.entry(KIND, name).summary)


def able(ability: str) -> tuple[str, ...]:
    """Names of the methods that have an ability, in the order in which they were registered."""
    names = REGISTRY.names(KIND)
    return tuple(n for n in names if getattr(REGISTRY.resolve(KIND, n).abilities, ability))


def readers_of(flag: str) -> tuple[str, ...]:
    """Names of the methods that declare a flag as theirs; none for flags that others read too."""
    names = REGISTRY.names(KIND)
    return tuple(n for n in names if flag in REGISTRY.resolve(KIND, n).flags)


def trained_for(task: str) -> str:
    """The methods of a task, as messages name them: "A or B"."""
    names = REGISTRY.names(KIND)
    return " or ".join(n for n in names if REGISTRY.resolve(KIND, n).task == task)
