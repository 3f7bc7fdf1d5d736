"""Whatever a YAML file holds: a description, or a refusal in one line."""

import copy
import json
import tempfile
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from fuzz_helpers import FUZZED, ODD_TEXTS, accepted_or_refused
from hypothesis import given
from hypothesis import strategies as st

from app.data.description import DataDescription, source_from_dict
from app.data.reading.yaml_description import from_yaml, splits_from_text

GOOD: dict[str, Any] = {
    "predictand": {
        "files": ["a.nc", "b[1]/*.nc"],
        "variables": {
            "tas": {"units": "degC", "missing": [-9999, 1e20]},
            "pr": {
                "source_name": "rr", "units": "mm day-1", "kind": "ratio", "transform": "log1p",
                "transform_scale": 0.1, "valid_min": 0, "valid_max": 500, "accumulation": "1D",
                "wet_threshold": 1.0, "time_method": "sum",
            },
            "ta@850hPa": {},
        },
        "aggregate": "1D:mean", "engine": "netcdf4",
    },
    "low_resolution": {"files": "c.nc", "variables": ["tas", "pr"], "regrid": "bilinear",
                       "align": "day", "time_shift": "12h", "calendar": "standard"},
    "predictors": [{"files": "d.nc", "variables": "hus@850", "member": 0, "lags": [0, 1],
                    "select": {"step": 6, "expver": "0001"}}],
    "static": {"files": "e.nc", "variables": ["z"]},
    "region": {"lat": [35, 45], "lon": [-10, 5]},
    "splits": {"train": [date(1983, 1, 1), date(1995, 12, 31)], "validation": [[1996, "1996-12"]],
               "test": [1997, 2002], "gap": "1D"},
    "scaling": "standard", "scaling_axes": "domain", "min_valid_fraction": 0.5,
}  # fmt: skip
OTHER_SPLITS: list[dict[str, Any]] = [
    {"kind": "years", "train": [1990, 1991], "validation": 1992, "test": [1993]},
    {"kind": "seasons", "train": ["DJF"], "test": "jja"},
    {"kind": "fractions", "fractions": [0.6, 0.2, 0.2]},
    {"kind": "blocks", "block": "20D", "fractions": [0.7, 0.12, 0.18]},
    {"kind": "folds", "folds": 5, "fold": 1},
]
KEYS = st.sampled_from(
    [key for part in (GOOD, GOOD["predictand"], GOOD["predictand"]["variables"]["pr"],
                      GOOD["predictors"][0], GOOD["splits"], *OTHER_SPLITS) for key in part]
)  # fmt: skip
ODD_VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        ODD_TEXTS,
        st.just(date(2001, 2, 3)),
        st.just(datetime(2001, 2, 3, 4, 5)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(KEYS | ODD_TEXTS, inner, max_size=3)
    ),
    max_leaves=6,
)


def places(part: Any) -> list[tuple[Any, Any]]:
    """(mapping or list, key or index) of everything in a document."""
    keys = list(part) if isinstance(part, dict) else list(range(len(part)))
    found = [(part, key) for key in keys]
    for key in keys:
        if isinstance(part[key], (dict, list)):
            found += places(part[key])
    return found


LEAVES = st.one_of(
    st.sampled_from(
        [
            part[key]
            for part, key in places([GOOD, OTHER_SPLITS])
            if not isinstance(part[key], (dict, list))
        ]
    ),
    st.integers(-2, 9),
    st.floats(-10, 1000),
    ODD_TEXTS,
)
GOOD_VALUES = st.sampled_from([part[key] for part, key in places([GOOD, OTHER_SPLITS])])


@st.composite
def structures(draw: st.DrawFn) -> Any:
    """A good description with one to three places of it changed, mostly to a value of another."""
    document = copy.deepcopy(GOOD)
    if draw(st.booleans()):
        document["splits"] = copy.deepcopy(draw(st.sampled_from(OTHER_SPLITS)))
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        there = places(document)
        inner = [(part, key) for part, key in there if not isinstance(part[key], (dict, list))]
        if inner and draw(st.integers(0, 3)):
            part, key = draw(st.sampled_from(inner))
            part[key] = draw(LEAVES | st.lists(LEAVES, max_size=3))
        elif there:
            _change(draw, *draw(st.sampled_from(there)))
    return document


def _change(draw: st.DrawFn, part: Any, key: Any) -> None:
    value = copy.deepcopy(draw(GOOD_VALUES | ODD_VALUES | ODD_TEXTS))
    kind = draw(st.sampled_from(["replace"] * 5 + ["remove", "rename", "wrap", "add"]))
    if kind == "replace":
        part[key] = value
    elif kind == "remove":
        del part[key]
    elif kind == "wrap":
        part[key] = [part[key]] if draw(st.booleans()) else {draw(KEYS): part[key]}
    elif isinstance(part, list):
        part.append(value)
    elif kind == "rename":
        part[draw(KEYS | ODD_TEXTS)] = part.pop(key)
    else:
        part[draw(KEYS)] = value


GOOD_TEXT = yaml.safe_dump(GOOD, sort_keys=False)
TOKENS = st.sampled_from(
    ["&a ", "*a", "<<: *a\n", "!!str ", "!x ", "\t", "\n", "  ", "- ", ": ", ":", ", ", "{", "}",
     "[", "]", '"', "'", "|\n", ">-\n", "%YAML 1.1\n", "---\n", "...\n", "? ", "#", "\ufeff",
     "null", "~", "é", '"\\x00"', '"\\ud800"', '"\\U00110000"', "\x07", "1e3", "no", "@", "`"]
)  # fmt: skip


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A good text with values changed, and some characters left out, put in or written twice."""
    lines = GOOD_TEXT.splitlines()
    for _ in range(draw(st.integers(0, 2))):
        number = draw(st.integers(0, len(lines) - 1))
        name, colon, _ = lines[number].partition(": ")
        odd = draw(ODD_TEXTS | TOKENS)
        lines[number] = f"{name}{colon}{odd}" if colon else f"{lines[number]}{odd}"
    text = "\n".join(lines)
    for _ in range(draw(st.integers(0, 2))):
        first = draw(st.integers(0, len(text)))
        last = min(len(text), first + draw(st.integers(0, 30)))
        middle = draw(st.one_of(TOKENS, st.just(""), st.just(text[first:last] * 2), ODD_TEXTS))
        text = text[:first] + middle + text[last:]
    return text


@pytest.fixture(scope="module")
def path() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "data.yml"


def read(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    found = accepted_or_refused(lambda: from_yaml(str(path), "/data"))
    if found is None:
        return
    assert isinstance(found, DataDescription)
    for source in (found.predictand, found.low_resolution, *found.predictors, *found.static):
        if source is not None:
            assert source_from_dict(json.loads(json.dumps(asdict(source)))) == source
            assert min(source.lags) >= 0


@FUZZED
@given(document=structures())
def test_structures(path: Path, document: Any) -> None:
    try:
        text = yaml.safe_dump(document, allow_unicode=True)
    except (yaml.YAMLError, TypeError, ValueError):
        return  # nothing that can be written
    read(path, text.encode("utf-8", "surrogatepass"))


@FUZZED
@given(text=texts())
def test_texts(path: Path, text: str) -> None:
    read(path, text.encode("utf-8", "surrogatepass"))


@FUZZED
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_bytes(path: Path, content: bytes) -> None:
    read(path, content)


@FUZZED
@given(text=st.one_of(ODD_TEXTS, st.text(max_size=30), ODD_VALUES.map(str)), before=ODD_TEXTS)
def test_splits_of_a_flag(text: str, before: str) -> None:
    for one in (text, f"kind: {text}", f"train: {text}, test: {before}", f"{{{text}: {before}"):
        accepted_or_refused(lambda one=one: splits_from_text(one, "--splits"))
