"""Command `models`: the trained models below a folder, one line each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.arrays import Json
from app.errors import InputError, one_line
from app.metrics.table import MODEL
from app.metrics.verdict.estimate import Estimate
from app.options import Values
from app.options.readers import path
from app.ranks import Ranks
from app.report.card import card_facts
from app.running.atomic import read_json
from app.running.run_files import CARD_FACTS
from app.running.run_folder import RunFolder

ENDS = ("low", "high")  # of an interval


def run(words: Sequence[str], values: Values, argv: Sequence[str], ranks: Ranks) -> None:
    """Print what each model downscales, what it was trained on, and its main score.

    InputError where a folder is none, or holds no trained model.
    """
    if not words:
        raise InputError("models: expected a folder of trained models")
    folders = [path(word) for word in words]
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"models: {folder} is no folder")
    found = [model for folder in folders for model in models_below(folder)]
    if not found:
        raise InputError(f"models: no model.keras in or below {', '.join(map(str, folders))}")
    if not ranks.first:
        return
    lines = [(str(folder), _line(folder)) for folder in dict.fromkeys(found)]
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        print(f"{name:<{width}}  {text}")


def models_below(folder: Path) -> Iterator[Path]:
    """Folders that hold a trained model; links and hidden folders are not looked into."""
    for place, folders, files in os.walk(folder):
        if "model.keras" in files:
            yield Path(place)
            folders.clear()
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def _line(folder: Path) -> str:
    """What a card tells in short; of a model without one, what the model itself tells."""
    try:
        facts = read_json(folder / CARD_FACTS) or card_facts(RunFolder(folder))
        return "  ".join(filter(None, _parts(facts)))
    except InputError as error:
        return one_line(error)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        return f"{CARD_FACTS} is damaged, or of another program ({one_line(error)})"


def _parts(facts: Json) -> Iterator[str]:
    yield ", ".join(str(one["name"]) for one in facts["predictands"])
    step = facts["time"].get("step")
    wanted = facts["time"].get("target_step")
    yield f"{step} to {wanted}" if facts["task"] == "time" else f"×{facts['grid']['scale']}"
    rows, columns = facts["grid"]["shape"] or ("?", "?")
    yield f"{rows}×{columns} cells"
    yield f"trained on {facts['periods']['train']}" if "train" in facts["periods"] else ""
    for own in (facts["scores"] or {}).get("variables", ()):
        name, score = next(iter(own["candidates"][MODEL].items()))
        low, high = (score[end] if score[end] is not None else float("nan") for end in ENDS)
        yield f"{name} {Estimate(score['value'], low, high).text(own['unit'])}"
    if facts["scores"] is None:
        yield "not scored"
    yield f"licence {facts['license']}" if facts["license"] else ""
