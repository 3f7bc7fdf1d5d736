"""Stage `completion`: a script by which a shell completes stages, flags and their values."""

from __future__ import annotations

from collections.abc import Sequence

from app.errors import InputError
from app.options import Values
from app.ranks import Ranks
from app.registry import unknown
from app.starting.completion import SHELLS


def run(words: Sequence[str], values: Values, argv: Sequence[str], ranks: Ranks) -> None:
    """Print the script for the shell that is named."""
    if len(words) != 1:
        raise InputError(f"completion: expected a shell, one of {', '.join(SHELLS)}")
    if words[0] not in SHELLS:
        raise InputError(f"completion: {unknown('shell', words[0], tuple(SHELLS))}")
    if ranks.first:
        print(SHELLS[words[0]](), end="")
