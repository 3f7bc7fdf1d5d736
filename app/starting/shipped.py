"""Flagfiles, data descriptions and job scripts that come with the program."""

from __future__ import annotations

import textwrap
from pathlib import Path

FOLDERS = ("flagfiles", "slurm")
INSTALLED = "shipped"  # where setup.py puts them, within the package
PACKAGE = Path(__file__).resolve().parents[1]
SCHEMA = "flagfiles/data.schema.json"
NO_WORDS = ("!", "yaml-language-server", "%%")  # begin lines that say nothing of the file
LONGEST = 70  # characters of a summary
BINARIES = ".venv/bin/"  # where the job scripts look for programs, in a checkout


def root() -> Path:
    """The folder that holds them: within an installed package, or the checkout."""
    installed = PACKAGE / INSTALLED
    return installed if installed.is_dir() else PACKAGE.parent


def names() -> list[str]:
    """All of them, relative to `root`, by folder."""
    return [
        path.relative_to(root()).as_posix()
        for folder in FOLDERS
        for path in sorted((root() / folder).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]


def text(name: str) -> str:
    """The content of one of them."""
    return (root() / name).read_text(encoding="utf-8")


def summary(name: str) -> str:
    """What one of them says first of itself, in one line."""
    if name == SCHEMA:
        return "what a data description may hold, for editors"
    lines = (line.strip().strip('"#').strip() for line in text(name).splitlines())
    first = next((line for line in lines if line and not line.startswith(NO_WORDS)), "")
    return textwrap.shorten(first.removesuffix("."), LONGEST, placeholder=" …")
