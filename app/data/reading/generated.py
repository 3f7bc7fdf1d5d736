"""Data that are made by a registered source: NAME, or NAME:ARGUMENT, in the place of a file."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from app import plugins
from app.data.reading.files import identity
from app.data.reading.paths import expand, leads_somewhere
from app.errors import InputError
from app.registry import REGISTRY

KIND = "source"


def generated(text: str, cache_dir: Path) -> str:
    """The file that a source has written, now or before. InputError where it writes none.

    A plugin's file is written again when the plugin, its argument, or a file that the argument
    names has changed.
    """
    name, _, argument = text.partition(":")
    source = REGISTRY.resolve(KIND, name)
    digest = plugins.digest_of(source)
    if digest is None:
        target = cache_dir / f"{name}.nc"
        source(argument, target)  # which looks by itself whether the file is there
        return str(target)
    files = expand([argument]) if argument and leads_somewhere(argument) else []
    made_from = json.dumps([digest, argument, [identity(file) for file in files]])
    mark = hashlib.sha256(made_from.encode()).hexdigest()[:16]
    target = cache_dir / f"{name}-{mark}.nc"
    if not target.is_file():
        cache_dir.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            source(argument, temporary)
            if not temporary.is_file():
                raise InputError(f"{text}: the source {name} has written no file")
            os.utime(temporary, (0, 0))  # each rank may have made it, and all know it by its time
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    return str(target)
