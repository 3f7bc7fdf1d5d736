"""The JSON schema of data descriptions: what is shipped is what the reader takes."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.data.description import Source, Splits, Variable
from app.data.reading.yaml_keys import SourceKeys, SplitKeys, VariableKeys, json_schema

FLAGFILES = Path(__file__).resolve().parents[2] / "flagfiles"
SCHEMA = json.loads((FLAGFILES / "data.schema.json").read_text(encoding="utf-8"))


def test_the_shipped_schema_is_the_readers() -> None:
    assert json.loads(json.dumps(json_schema())) == SCHEMA, "run scripts/write_data_schema.py"


def test_every_key_has_a_description() -> None:
    for part in (SCHEMA, *SCHEMA["$defs"].values()):
        assert part["additionalProperties"] is False
        for name, key in part["properties"].items():
            assert key.get("description") or _referred(key)["description"], name


@pytest.mark.parametrize(
    ("keys", "kind", "others"),
    [
        # which the name, the level or the file tell
        (VariableKeys, Variable, {"name", "level_units", "long_name", "cell_methods"}),
        (SourceKeys, Source, set()),
        (SplitKeys, Splits, set()),
    ],
)
def test_keys_are_the_fields_of_the_description(keys: Any, kind: Any, others: set[str]) -> None:
    assert set(keys.model_fields) == {field.name for field in fields(kind)} - others


@pytest.mark.parametrize("path", sorted((FLAGFILES / "data").glob("*.yml")), ids=lambda p: p.name)
def test_shipped_descriptions_name_the_schema_and_keep_to_it(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = text.splitlines()[0].partition("# yaml-language-server: $schema=")[2]
    assert (path.parent / named).resolve() == FLAGFILES / "data.schema.json"
    _keeps_to(yaml.safe_load(text), SCHEMA)


def _referred(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return SCHEMA["$defs"][name] if name else schema


def _keeps_to(value: Any, schema: dict[str, Any]) -> None:
    """The keys of a mapping, and of those in it, are known to the schema."""
    schema = _referred(schema)
    for choice in schema.get("anyOf", []):
        kinds = {dict: "object", list: "array", str: "string"}
        if choice.get("type", "object") == kinds.get(type(value), "object"):
            return _keeps_to(value, choice)
    if isinstance(value, list):
        for part in value:
            _keeps_to(part, schema.get("items", {}))
    elif isinstance(value, dict):
        for name, part in value.items():
            further = schema.get("additionalProperties")
            known = schema.get("properties", {}).get(name) or further
            assert known, name
            _keeps_to(part, known)
    return None
