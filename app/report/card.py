"""The model card: MODEL.md for people and model.json for programs, beside a trained model."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app import options
from app.arrays import Json
from app.errors import InputError
from app.metrics.names import called
from app.metrics.table import MODEL
from app.metrics.verdict.estimate import Estimate
from app.model_archive import parts, read_config, saved_task
from app.report.learning import HISTORY, read_history
from app.running.atomic import read_json, write_json, write_text
from app.running.run_files import CARD, CARD_FACTS
from app.running.run_folder import RunFolder

FORMAT = 1
RECIPE = ("DOWNSCALING", "MODEL", "DIFFUSION", "TRAINING")  # sections of flags that a card tells
CHANNEL = ("name", "units", "long_name", "standard_name", "transform")
TAGS = ("downscaling", "super-resolution", "climate", "weather", "earth-science", "finescale")
MARKUP = re.compile(r"([\\`*_{}\[\]|#~])")
WITH_UNIT = ("RMSE", "MAE", "CRPS", "bias")  # scores in the predictand's unit
HOUR = 3600  # seconds
TEMPLATES = Path(__file__).with_name("templates")


def write_card(folder: Path, license: str | None = None) -> Json | None:
    """Write MODEL.md and model.json of a run that has a trained model; the facts of it.

    license: its name; None keeps that of an earlier card. None where there is no trained model.
    """
    run = RunFolder(folder)
    if not run.model.is_file():
        return None
    before = read_json(folder / CARD_FACTS) or {}
    facts = card_facts(run, license or before.get("license"))
    write_json(folder / CARD_FACTS, facts)
    write_text(folder / CARD, card_text(facts))
    return facts


def card_facts(run: RunFolder, license: str | None = None) -> Json:
    """What a run's files tell of its model. InputError where the model cannot be read."""
    spec = _spec(read_config(run.model))
    told = read_json(run.provenance) or {}
    flags = _flags(run)
    data = told.get("data") or {}
    history = read_history(run.path / HISTORY)
    return {
        "format": FORMAT,
        "name": run.path.resolve().name,
        "program": f"finescale {version('finescale')}",
        "license": license,
        "task": saved_task(run.model),
        "predictands": _channels(spec, "outputs"),
        "inputs": _channels(spec, "inputs") or _channels(spec, "outputs", "guidance"),
        "static": list(spec.get("statics", ())),
        "grid": _grid(spec.get("geometry") or {}),
        "time": _steps(spec, flags),
        "periods": {name: str(own[0]) for name, own in (data.get("periods") or {}).items()},
        "data_fingerprint": told.get("data_fingerprint"),
        "recipe": _recipe(flags),
        "training": {
            "epochs": len(history["epoch"]),
            "seconds": round(float(history["seconds"].sum()), 1) if len(history["epoch"]) else None,
            "weights": told.get("parameters"),
            "seed": told.get("seed"),
            "hardware": told.get("hardware"),
            "versions": told.get("versions"),
        },
        "scores": _scores(run),
        "model_sha256": hashlib.sha256(run.model.read_bytes()).hexdigest(),
    }


def _spec(config: Json) -> Json:
    """The specification of a saved model, or of the first of a stack."""
    for _, key, part in parts(config):
        if key == "spec" and isinstance(part, dict) and "geometry" in part:
            return part
    return {}


def _channels(spec: Json, *roles: str) -> list[Json]:
    found = [channel for role in roles for channel in spec.get(role, ())]
    return [{key: own[key] for key in CHANNEL if own.get(key)} for own in found]


def _grid(geometry: Json) -> Json:
    """Shape, extent and step of the fine grid, and by how much the coarse one is coarser."""
    fine = geometry.get("fine") or {}
    found: Json = {"scale": geometry.get("scale")}
    for name, key in (("latitude", "lat"), ("longitude", "lon")):
        values = fine.get(key) or []
        flat = (
            [v for row in values for v in row] if values and isinstance(values[0], list) else values
        )
        if flat:
            found[name] = [min(flat), max(flat)]
    lat, lon = fine.get("lat") or [], fine.get("lon") or []
    rectilinear = bool(lat) and not isinstance(lat[0], list)
    found["shape"] = [len(lat), len(lon) if rectilinear else len(lat[0])] if lat else None
    return found


def _steps(spec: Json, flags: Json) -> Json:
    """Hours from one time to the next; of models in time, between known frames, and the wanted."""
    in_time = "inputs" not in spec
    seconds = spec.get("step") if in_time else (spec.get("domain") or {}).get("step")
    found: Json = {"step": f"{seconds / HOUR:g}h" if seconds else None}
    if in_time:
        found["target_step"] = flags.get("target_step")
    return found


def _flags(run: RunFolder) -> Json:
    try:
        return options.kept_values(run.experiment)
    except InputError:
        return {}


def _recipe(flags: Json) -> Json:
    """Flags of the method that are not at their default; of files their names alone."""
    found = {}
    for section in RECIPE:
        for one in options.SECTIONS[section]:
            if flags and flags[one.name] != one.default:
                text = options.as_text(flags[one.name])
                found[one.name] = Path(text).name if "/" in text else text
    return found


def _scores(run: RunFolder) -> Json | None:
    """The verdict with its numbers; None where there is none of this very model."""
    path = run.metrics / "verdict.json"
    found = read_json(path)
    if found is None or path.stat().st_mtime_ns < run.model.stat().st_mtime_ns:
        return None
    return {
        "title": found.get("title"),
        "intervals": found.get("intervals"),
        "variables": [
            {key: own.get(key) for key in ("variable", "unit", "sentences", "candidates")}
            for own in found.get("variables", ())
        ],
    }


def card_text(facts: Json) -> str:
    """The card as Markdown with a head of YAML, as model hubs take it for a README."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"md": markdown, "in_words": _channel_in_words}
    return environment.get_template("model.md.j2").render(
        **facts,
        head=yaml.safe_dump(_head(facts), sort_keys=False, allow_unicode=True).strip(),
        table=_table(facts),
        sample=facts.get("sample_input"),
        grid_text=_grid_in_words(facts["grid"]),
    )


def markdown(text: object) -> str:
    """A text that Markdown shows as it is, on one line."""
    plain = _one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return MARKUP.sub(r"\\\1", plain)


def _head(facts: Json) -> Json:
    found: Json = {"license": _one_line(facts["license"] or "other")}
    if not facts["license"]:
        found["license_name"] = "not-chosen-yet"
    found |= {"library_name": "keras", "tags": list(TAGS)}
    results = [
        {
            "task": {"type": "downscaling", "name": "Downscaling"},
            "dataset": {"type": (name := _one_line(own["variable"])), "name": f"test, {name}"},
            "metrics": [
                {"type": s.lower(), "name": _named(s, own["unit"]), "value": score["value"]}
                for s, score in ((own.get("candidates") or {}).get(MODEL) or {}).items()
                if score.get("value") is not None
            ],
        }
        for own in (facts["scores"] or {}).get("variables", ())
    ]
    if any(result["metrics"] for result in results):
        found["model-index"] = [{"name": _one_line(facts["name"]), "results": results}]
    return found


def _named(score: str, unit: str) -> str:
    return f"{score} [{_one_line(unit)}]" if score in WITH_UNIT else score


def _one_line(text: object) -> str:
    """A text that no reader of the head takes for its end."""
    return " ".join(str(text).split())


def _table(facts: Json) -> list[Json]:
    """Of each predictand the main scores: heads, and rows of a name and texts."""
    scores = facts["scores"]
    found = []
    for own in (scores or {}).get("variables", ()):
        candidates: Mapping[str, Any] = own.get("candidates") or {}
        heads = list(dict.fromkeys(name for one in candidates.values() for name in one))
        rows = [
            (called(name, facts["task"] == "time"), [_cell(one.get(head)) for head in heads])
            for name, one in candidates.items()
        ]
        found.append({**own, "heads": heads, "rows": rows})
    return found


def _cell(score: Json | None) -> str:
    values = [(score or {}).get(key) for key in ("value", "low", "high")]
    value, low, high = (float("nan") if one is None else float(one) for one in values)
    return Estimate(value, low, high).text() if value == value else "–"


def _channel_in_words(channel: Json) -> str:
    unit = f" [{channel['units']}]" if channel.get("units") else ""
    long = channel.get("long_name")
    return f"{channel['name']}{unit}" + (f", {long}" if long and long != channel["name"] else "")


def _grid_in_words(grid: Json) -> str:
    if not grid.get("shape"):
        return "not known"
    extent = [f"{name} {own[0]:.5g} to {own[1]:.5g}" for name, own in _extents(grid)]
    rows, columns = grid["shape"]
    scale = grid.get("scale")
    coarser = f"; {scale} × {scale} fine cells to a coarse one" if scale and scale > 1 else ""
    return f"{rows} × {columns} cells, {', '.join(extent)}{coarser}"


def _extents(grid: Json) -> Sequence[tuple[str, list[float]]]:
    return [(name, grid[name]) for name in ("latitude", "longitude") if name in grid]
