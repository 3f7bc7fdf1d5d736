"""A saved model (`.keras`) as data: its archive and its configuration, checked before use.

Somebody else may have written the file. Nothing of it is unpacked to a disk, and nothing in it is
taken for code; see `app.models.loading` for what is built of it.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app import plugins
from app.arrays import Json
from app.errors import InputError, one_line

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MEMBERS = frozenset({CONFIG, WEIGHTS, "metadata.json"})
SUFFIX = ".keras"  # of another name Keras would take the file for one of its older formats
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
SMALL = 16 << 20  # bytes up to which a member may have any ratio
MOST_EXPANDED = 100  # bytes unpacked for each in the archive; Keras itself does not compress
LONGEST_CONFIG = 1 << 30  # bytes; the coordinates of a curvilinear grid of 4096² cells take 0.6e9
MOST_PARTS = 1_000_000  # lists and mappings of a configuration
DEEPEST = 100  # lists and mappings within each other; a stack of models has about 40
TASKS_UNTOLD = {  # by class, of models from before they told their task
    "TemporalModel": "time",
    "PhysicalModel": "space",
    "DiffusionModel": "space",
}


def read_config(path: Path) -> Json:
    """The configuration of a saved model.

    Raises InputError, in one line, for what is no such archive, holds anything else, or would
    take far more memory than its size on disk.
    """
    if not path.is_file():
        raise InputError(f"model {path}: no such file, expected a {SUFFIX} file")
    if path.suffix != SUFFIX:
        raise InputError(f"model {path}: expected a file whose name ends in {SUFFIX}")
    if not zipfile.is_zipfile(path):
        raise InputError(f"model {path}: not a {SUFFIX} file, or one cut short")
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path)
            text = archive.read(CONFIG)
        if text.count(b"[") + text.count(b"{") > MOST_PARTS:
            raise ValueError(f"more than {MOST_PARTS} lists and mappings in {CONFIG}")
        config = json.loads(text)
    except InputError:
        raise
    except Exception as error:  # zipfile raises whatever the damaged part happens to break
        raise InputError(f"model {path}: cannot be read ({one_line(error)})") from error
    if not isinstance(config, dict):
        raise InputError(f"model {path}: {CONFIG}: expected a mapping")
    if any(depth > DEEPEST for depth, _, _ in parts(config)):
        raise InputError(f"model {path}: {CONFIG}: nested more than {DEEPEST} deep")
    return config


def refuse_without_plugins(config: Json, path: Path) -> None:
    """InputError where a model holds classes of plugins that are not in use."""
    for _, key, module in parts(config):
        if key != "module" or not isinstance(module, str) or plugins.in_use(module):
            continue
        if (file := plugins.file_of(module)) is not None:
            raise InputError(
                f"model {path}: needs the plugin {file} that it was trained with; expected "
                f"--plugins={file}, wherever that file is"
            )


def saved_task(path: Path) -> str | None:
    """The task that a saved model was trained for; None for everything that is no model of ours."""
    try:
        config = read_config(path)
    except InputError:
        return None
    own = config.get("config")
    told = own.get("task") if isinstance(own, dict) else None
    return told if isinstance(told, str) else TASKS_UNTOLD.get(str(config.get("class_name")))


def parts(config: Any) -> Iterator[tuple[int, str, Any]]:
    """What is within a configuration: its depth, the key it belongs to, and the value.

    Fractions within lists, such as coordinates, of which there may be millions, are left out.
    """
    rest = [(1, "", config)]
    while rest:
        depth, key, part = rest.pop()
        yield depth, key, part
        if depth > DEEPEST:
            continue
        if isinstance(part, dict):
            rest += [(depth + 1, name, value) for name, value in part.items()]
        elif isinstance(part, list):
            rest += [(depth + 1, key, one) for one in part if type(one) is not float]


def _check_members(archive: zipfile.ZipFile, path: Path) -> None:
    """InputError unless the archive holds Keras's files alone, each of a plausible size."""
    names = archive.namelist()
    other = sorted(set(names) - MEMBERS) or [name for name in names if names.count(name) > 1]
    if other:
        raise InputError(
            f"model {path}: holds {other[0]!r}; expected {', '.join(sorted(MEMBERS))} once each"
        )
    lacking = sorted({CONFIG, WEIGHTS} - set(names))
    if lacking:
        raise InputError(f"model {path}: holds no {lacking[0]}")
    for member in archive.infolist():
        size = member.file_size
        if member.flag_bits & 1 or member.compress_type not in COMPRESSIONS:
            raise InputError(
                f"model {path}: {member.filename} is encrypted or compressed in a way that Keras "
                "does not use"
            )
        bomb = size > SMALL and size > MOST_EXPANDED * member.compress_size
        if bomb or (member.filename == CONFIG and size > LONGEST_CONFIG):
            raise InputError(
                f"model {path}: {member.filename} would unpack from {member.compress_size:,} to "
                f"{size:,} bytes"
            )
