"""The ways in which a run ends early for a reason that a user can read."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from app.exit_codes import REFUSED


class InputError(Exception):
    """Input the program cannot work with; its text is one line: what, where, received, expected."""


@contextmanager
def refusals(program: str) -> Iterator[None]:
    """Ends a script as the application ends at an InputError: its line, and exit code 2."""
    try:
        yield
    except InputError as error:
        print(f"{program}: {error}", file=sys.stderr)
        sys.exit(REFUSED)


class RunError(Exception):
    """A run that began well and cannot go on; its text is one line: what happened, what helps."""


class Regroup(Exception):
    """The ranks of an elastic job change: all go on from what they last committed."""


class Interrupted(BaseException):
    """The run was asked to stop, and has; the same command goes on. Its text says who asked.

    No Exception: what handles errors must not take it for one.
    """
