"""Files for the user to keep and edit: those that are there already stay."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.errors import InputError, one_line
from app.running.atomic import write_text


def write_new(texts: Mapping[Path, str], overwrite: bool, command: str) -> None:
    """Write all of these files, in folders that are made where they are missing.

    InputError, with nothing written, where one is there already, unless `overwrite` replaces it.
    """
    there = [path for path in texts if path.exists() or path.is_symlink()]
    if there and not overwrite:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise InputError(
            f"{command}: {there[0]}{more} there already; expected another folder, or --overwrite, "
            "which replaces what is written here"
        )
    if odd := [path for path in there if path.is_dir() or path.is_symlink()]:
        raise InputError(f"{command}: {odd[0]} is a folder or a link, which is not replaced")
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
        except OSError as error:
            raise InputError(f"{command}: {path} cannot be written ({one_line(error)})") from error
