"""The zip that is sent."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

from app.cordex import protocol
from app.cordex.places import Places, Task
from app.data.description import DataDescription
from app.errors import InputError
from app.running.disk_space import writing


def check_name(name: str) -> bool:
    """Whether models of a submission of this name know the orography."""
    return name.endswith(protocol.OROGRAPHY_TAG)


def check_orography(name: str, data: Sequence[tuple[Task, DataDescription]]) -> None:
    """InputError where the name says something else of the orography than the models' data."""
    for task, description in data:
        knows = bool(description.static)
        if knows != check_name(name):
            tag = protocol.OROGRAPHY_TAG
            expected = f"a name that ends in {tag}" if knows else f"a name without {tag}"
            raise InputError(
                f"--submission={name}: {task.name} {'knows' if knows else 'does not know'} the "
                f"orography; expected {expected}"
            )


def pack(places: Places, files: Sequence[Path]) -> Path:
    """Write the zip of these files, relative to the predictions; its path.

    The files are compressed already. It is there whole or not at all.
    """
    target = places.archive
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with writing(target), zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            for file in sorted(files):
                archive.write(places.predictions / file, f"{places.name}/{file.as_posix()}")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return target
