"""What prepared data are, part by part, so that a change can be told by name."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from app.arrays import Json
from app.data.description import identifying
from app.data.shards import Shards
from app.data.shards.manifest import FIRST_LAYOUT, SCALING_FILE, STATIC_FILE

ROLES = {
    "hr": "predictand",
    "lr": "low-resolution input",
    "predictors": "predictors",
    "source": "low-resolution source",
}


def identity_of(shards: Shards) -> Json:
    """Periods, grid, variables, scaling and values, all but the first as digests of the content.

    Where the files lie, when they were written and how they are packed is no part of it.
    """
    sums = shards.checksums
    values: dict[str, str] = {}
    for name in sorted(sums):
        split, _, file = name.rpartition("/")
        if split:
            key = f"{split} {file.partition('-')[0]}"
            values[key] = _digest([values.get(key), sums[name]])
    return {
        "fingerprint": shards.fingerprint,
        "periods": {split: _period(shards, split) for split in shards.splits},
        "variables": _digest(
            {
                role: [identifying(asdict(v)) for v in found]
                for role, found in shards.variables.items()
            }
        ),
        "grid": _digest(shards.geometry.to_dict()),
        "static fields": sums[STATIC_FILE],
        "scaling": sums[SCALING_FILE],
        "values": values,
        **({"layout": shards.layout} if shards.layout > FIRST_LAYOUT else {}),
    }


def identity_digest(shards: Shards) -> str:
    """One digest of all that data are, wherever they lie."""
    return _digest({**identity_of(shards), "fingerprint": ""})


def truth_changes(before: Json, now: Json) -> list[str]:
    """Likewise of data in other pairs, of which grid, statics and predictand are the same.

    Predictands are compared in the periods that both have.
    """
    if before["grid"] != now["grid"]:
        return ["grid"]
    if _layout(before) != _layout(now):
        return []
    found = ["static fields"] if before["static fields"] != now["static fields"] else []
    for split, period in now["periods"].items():
        key = f"{split} hr"
        same = before["values"].get(key) == now["values"].get(key)
        if before["periods"].get(split) == period and not same:
            found.append(f"values of the {ROLES['hr']} ({split})")
    return found


def changes(before: Json, now: Json) -> list[str]:
    """Names of the parts in which two data differ; empty where they are the same.

    Values are compared for periods that both have, and only if the grid is the same and the files
    are written alike.
    """
    found = [
        f"{split} period ({_told(before, split)} → {_told(now, split)})"
        for split in dict.fromkeys((*before["periods"], *now["periods"]))
        if before["periods"].get(split) != now["periods"].get(split)
    ]
    moved = {split for split in now["periods"] if any(w.startswith(f"{split} ") for w in found)}
    found += [part for part in ("variables", "grid", "scaling") if before[part] != now[part]]
    if before["grid"] != now["grid"] or _layout(before) != _layout(now):
        return found
    if before["static fields"] != now["static fields"]:
        found.append("static fields")
    for key in sorted({*before["values"], *now["values"]}):
        split, role = key.split()
        if before["values"].get(key) != now["values"].get(key) and split not in moved:
            found.append(f"values of the {ROLES.get(role, role)} ({split})")
    return found


def _layout(identity: Json) -> int:
    """How the files were written: digests of those written otherwise tell nothing."""
    return int(identity.get("layout", FIRST_LAYOUT))


def _period(shards: Shards, split: str) -> list[str]:
    """How a period is told, and a digest of all its times."""
    stamps = shards.stamps(split)
    text = f"{len(stamps)} times, {stamps.span()}" if shards.has_times else f"{len(stamps)} samples"
    return [text, _digest([stamps.calendar, stamps.seconds.tolist()])]


def _told(identity: Json, split: str) -> str:
    result: str = identity["periods"].get(split, ["none"])[0]
    return result


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
