"""A data description keeps what it says on its way through JSON, and refuses what it cannot be."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from app.data.description import Source, Variable, source_from_dict
from app.data.reading.yaml_description import from_yaml
from app.errors import InputError

SOURCE = Source(
    files=("a.nc", "b.nc"),
    variables=(Variable("pr", "pr", missing=(-9999.0, 1e20)), Variable("t", "t")),
    lags=(0, 1),
    calendar="standard",
)


def test_a_source_is_the_same_after_json() -> None:
    assert source_from_dict(json.loads(json.dumps(asdict(SOURCE)))) == SOURCE
    stored = json.loads(json.dumps(asdict(SOURCE.variables[0])))
    assert Variable(**stored) == SOURCE.variables[0]
    assert hash(Variable(**stored)) == hash(SOURCE.variables[0])


def test_missing_and_calendar_are_read_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "data.yml"
    path.write_text(
        "predictand: {files: a.nc, calendar: noleap,"
        " variables: {x: {missing: -9999}, y: {missing: [-1, 1.0e+20]}, z: {}}}\n",
        encoding="utf-8",
    )
    source = from_yaml(str(path), "").predictand
    assert source is not None
    assert source.calendar == "noleap"
    assert [v.missing for v in source.variables] == [(-9999.0,), (-1.0, 1e20), ()]


def test_an_unknown_calendar_is_refused() -> None:
    with pytest.raises(InputError, match=r"calendar.*'julian'.*standard, noleap, 360_day"):
        Source(files=("a.nc",), variables=(), calendar="julian")
