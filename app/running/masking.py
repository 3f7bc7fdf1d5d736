"""Passwords and keys are kept out of what a run writes and says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

HIDDEN = "***"
WORDS = frozenset(
    {
        *("key", "apikey", "accesskey", "token", "password", "passwd", "passphrase", "pwd"),
        *("secret", "credential", "credentials", "auth", "signature", "sig", "cookie"),
    }
)
SERVICES = ("aws_", "cdsapi_")  # whose variables are all kept out
# Each begins where no name is under way, so that long texts take no time to search.
NAME = re.compile(r"(?<![\w.-])([\w.-]+)[\"']?\s*=\s*")
VALUE = re.compile(r"\"[^\"]*\"|'[^']*'|[^\s,;&\"']+")
HEADER = re.compile(r"(?<!\w)(authorization\s*[:=]\s*)(?:\w+\s+)?\S+", re.IGNORECASE)
USER = re.compile(r"(?<![\w+.-])(\w[\w+.-]*://)[^\s/@?#]+@")


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name is likely to hold a secret, such as CDSAPI_KEY."""
    plain = name.lower()
    return plain.startswith(SERVICES) or not WORDS.isdisjoint(re.split(r"[_.-]+", plain))


def has_secret(address: str) -> bool:
    """Whether an address names a user, with a password or without, or carries a signature."""
    return masked(address) != address


def masked(text: str) -> str:
    """The text with `***` for what looks like a secret in it.

    >>> masked("https://me:pw@host/a.zarr?token=abc, API_KEY=1")
    'https://***@host/a.zarr?token=***, API_KEY=***'
    """
    text = HEADER.sub(rf"\1{HIDDEN}", USER.sub(rf"\1{HIDDEN}@", text))
    parts, end = [], 0
    for name in NAME.finditer(text):
        value = VALUE.match(text, name.end()) if is_secret_name(name[1]) else None
        if value is not None and name.start() >= end:
            parts += [text[end : name.end()], HIDDEN]
            end = value.end()
    return "".join([*parts, text[end:]])


def command_line(arguments: Sequence[str]) -> str:
    """A command as it may be kept and typed again, without its secrets."""
    return shlex.join(masked(argument) for argument in arguments)
