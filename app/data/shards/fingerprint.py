"""One short name for data and options: other bytes, other name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from app.arrays import Array, Json
from app.data.description import DataDescription, Source, identifying
from app.data.reading.files import identity
from app.data.reading.paths import expand
from app.data.shards.manifest import FORMAT

LENGTH = 16  # hexadecimal digits


def fingerprint(
    description: DataDescription, scale: int, halo: int, arrays: dict[str, Array] | None
) -> str:
    """Of inputs (paths, sizes, times of modification; arrays by content) and all options."""
    content = {
        "format": FORMAT,
        "description": identifying(asdict(description)),
        "inputs": [[identity(p) for p in expand(s.files)] for s in sources_of(description)],
        "arrays": {name: _array(values) for name, values in sorted((arrays or {}).items())},
        "scale": scale,
        "halo": halo,
    }
    return _digest(content)


def fingerprint_of_files(*groups: Iterable[str], **options: Any) -> str:
    """Of the files behind some lists of names, and of what is done with them."""
    return _digest({"files": [[identity(p) for p in expand(g)] for g in groups], **options})


def sources_of(description: DataDescription) -> Iterator[Source]:
    """All sources, in the order in which they are written down."""
    for source in (description.predictand, description.low_resolution):
        if source is not None:
            yield source
    yield from description.predictors
    yield from description.static


def _digest(content: Json) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def _array(values: Array) -> list[Any]:
    data = np.ascontiguousarray(values)
    plain = data.dtype.kind in "fiubMm"
    content = data.ravel().view(np.uint8).data if plain else str(data.tolist()).encode()
    return [str(data.dtype), list(data.shape), hashlib.blake2b(content).hexdigest()]
