"""The ways in which a run ends early for a reason that a user can read."""

import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

from app.exit_codes import REFUSED

LONGEST_REASON = 300  # characters of a library's message


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


class Damage(RunError):
    """What has been read is not what was written: nothing may be kept that was made from it."""


class Regroup(Exception):
    """The ranks of an elastic job change: all go on from what they last committed."""


class Interrupted(BaseException):
    """The run was asked to stop, and has; the same command goes on. Its text says who asked.

    No Exception: what handles errors must not take it for one.
    """


def one_line(error: BaseException) -> str:
    """The error's text on one line, its class's name where it has none.

    A library's text ends beyond about 300 characters, at a word, with " …".
    """
    text = " ".join(str(error).split())
    name = type(error).__name__
    if not text or isinstance(error, KeyError):  # of which the text is the key alone
        text = f"{name}: {text}" if text else name
    if isinstance(error, (InputError, RunError)):
        return text
    lines = textwrap.wrap(text, LONGEST_REASON, break_long_words=False, break_on_hyphens=False)
    return lines[0] + (" …" if len(lines) > 1 else "")
