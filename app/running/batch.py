"""Lines of batch scripts that Slurm reads."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from app.errors import InputError

UNFIT = re.compile(r"[\n\r\\]")  # Slurm reads #SBATCH lines; backslashes hide its %A and %a
SHORT = {"J": "job-name", "o": "output", "a": "array", "t": "time", "n": "ntasks",
         "c": "cpus-per-task", "N": "nodes", "p": "partition", "A": "account"}  # fmt: skip


def directives(defaults: Mapping[str, str], options: str = "") -> str:
    """#SBATCH lines of some options and of those that a user gives, which beat them.

    defaults: name → value, empty for an option without one. options: as sbatch takes them on a
    command line. InputError for what is none, and for what such a line cannot hold.
    """
    given = _given(options)
    lines = [
        f"#SBATCH --{name}" + (f"={shlex.quote(value)}" if value else "")
        for name, value in defaults.items()
        if name not in {_name(words) for words in given}
    ]
    lines += ["#SBATCH " + " ".join(map(_quoted, words)) for words in given]
    return "\n".join(lines)


def _given(options: str) -> list[list[str]]:
    """The options of a command line, each with the words that belong to it."""
    if odd := UNFIT.search(options):
        raise InputError(
            f"--sbatch_options={options!r}: {odd[0]!r} cannot stand in a line of a batch script"
        )
    try:
        words = shlex.split(options)
    except ValueError as error:
        raise InputError(f"--sbatch_options={options}: {error}") from error
    given: list[list[str]] = []
    for word in words:
        if word.startswith("-") and word.strip("-"):
            given.append([word])
        elif given and "=" not in given[-1][0] and len(given[-1]) == 1:
            given[-1].append(word)
        else:
            raise InputError(
                f"--sbatch_options={options}: {word!r} is no option; expected --NAME=VALUE …"
            )
    return given


def _name(words: list[str]) -> str:
    name = words[0].lstrip("-").partition("=")[0]
    return name if words[0].startswith("--") else SHORT.get(name[:1], name)


def _quoted(word: str) -> str:
    """A word whose value alone is quoted, as Slurm's own documentation has it."""
    name, equals, value = word.partition("=")
    return f"{name}={shlex.quote(value)}" if equals else shlex.quote(word)
