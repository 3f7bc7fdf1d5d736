"""Stage `examples`: flagfiles, data descriptions and job scripts that come with the program."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from app.errors import InputError
from app.options import Values
from app.options.readers import path
from app.ranks import Ranks
from app.starting import shipped
from app.starting.files import write_new
from app.usage import program

PLAIN = re.compile(r"[\w./+-]+")  # what stands in a shell script without quotes
SCRIPTS = (".sbatch", ".sh")


def run(words: Sequence[str], values: Values, argv: Sequence[str], ranks: Ranks) -> None:
    """List them, or copy all of them into the folder that is named.

    InputError where files of these names are there already, unless --overwrite replaces them.
    """
    if len(words) > 1:
        raise InputError(f"examples: expected no or one folder, received {', '.join(words)}")
    if not ranks.first:
        return
    names = shipped.names()
    if not words:
        width = max(map(len, names))
        for name in names:
            print(f"{name:<{width}}  {shipped.summary(name)}")
        print(f"\n{program()} examples FOLDER copies them.")
        return
    folder = path(words[0])
    texts = {folder / name: _with_this_python(name) for name in names}
    write_new(texts, values["overwrite"], "examples")
    for script in texts:
        if script.suffix == ".sh":
            script.chmod(0o755)
    print(f"{len(texts)} files in {folder}; there, run for example")
    print(f"  {program()} train test metrics --flagfile=flagfiles/quickstart.cfg")


def _with_this_python(name: str) -> str:
    """The text of a shipped file; its job scripts name the programs of this installation."""
    text, here = shipped.text(name), f"{Path(sys.executable).parent}/"
    if name.endswith(SCRIPTS) and PLAIN.fullmatch(here):
        return text.replace(shipped.BINARIES, here)
    return text
