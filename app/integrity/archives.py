"""Saved models: archives whose members have checksums of their own."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from zipfile import BadZipFile, ZipFile

MEMBERS = frozenset({"config.json", "model.weights.h5"})
UNREADABLE = (OSError, ValueError, EOFError, RuntimeError, BadZipFile, zlib.error, struct.error)


def archive_damage(path: Path) -> str | None:
    """What is wrong with a saved model, in a few words; None where all of it is as written."""
    try:
        with ZipFile(path) as archive:
            missing = MEMBERS - set(archive.namelist())
            damaged = archive.testzip()
    except FileNotFoundError:
        return "it is missing"
    except UNREADABLE:
        return "damaged: no archive, or one cut short"
    if damaged is not None:
        return f"damaged: the checksum of {damaged} in it differs"
    return f"damaged: {min(missing)} is missing in it" if missing else None
