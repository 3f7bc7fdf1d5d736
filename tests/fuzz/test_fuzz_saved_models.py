"""Whatever a `.keras` file holds: a model of the package, or a refusal in one line."""

import copy
import json
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fuzz_bytes import changed
from fuzz_helpers import EXAMPLES, FUZZED, ODD_TEXTS, accepted_or_refused
from hypothesis import given, settings
from hypothesis import strategies as st

from app.model_archive import CONFIG, WEIGHTS, parts, saved_task

BUILDS = settings(FUZZED, max_examples=EXAMPLES if EXAMPLES >= 1000 else EXAMPLES // 20)
ODD_VALUES = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.integers(-2, 9), st.floats(), ODD_TEXTS),
    *(st.just([]), st.just({}), st.just([[1]]), st.just({"class_name": "Lambda"})),
    st.sampled_from([10**9, 2**31, 2**63, 2**64, 65_536, "Dense", "ConvBlock", "float64", "relu"]),
)
ODD_WORDS = st.sampled_from(
    [b"NaN", b"1e999", b"-Infinity", b'"\\ud800"', b"9" * 5000, b"[" * 2000, b'{"a":', b"\x00", b""]
)


@pytest.fixture(scope="module")
def good() -> dict[str, bytes]:
    """The members of a small saved model."""
    import numpy as np

    from app.models import Channel, ModelArrays, ModelSpec, PhysicalModel, build_network
    from app.options import ModelConfig

    channel, one = Channel("t", "K"), np.ones(1)
    spec = ModelSpec((channel,), (channel,), 1, {"scale": 2, "pad": [0, 0, 0, 0]})
    arrays = ModelArrays(one, one, one, one, mask=np.ones((8, 8, 1)))
    config = ModelConfig(n_filters=2, n_blocks=1, backbone="convnet")
    network = build_network(config, n_inputs=1, n_static=0, n_outputs=1, scale=2)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        PhysicalModel(spec, arrays, network).save(path)
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "model.keras"


def load(path: Path) -> None:
    from app.models import PhysicalModel

    saved_task(path)
    accepted_or_refused(lambda: PhysicalModel.load(path))


def archived(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@FUZZED
@given(data=st.data())
def test_bytes_of_the_archive(good: dict[str, bytes], path: Path, data: st.DataObject) -> None:
    archived(path, {**good, WEIGHTS: good[WEIGHTS][:64]})  # the directory is a good part of it
    content = path.read_bytes()
    tail = data.draw(st.booleans())
    cut = len(content) - 300 if tail else 0
    path.write_bytes(content[:cut] + data.draw(changed(content[cut:])))
    load(path)


@BUILDS
@given(data=st.data())
def test_texts_of_the_configuration(
    good: dict[str, bytes], path: Path, data: st.DataObject
) -> None:
    text = good[CONFIG]
    place = data.draw(st.integers(0, len(text)))
    end = place + data.draw(st.integers(0, 20))
    archived(path, {**good, CONFIG: text[:place] + data.draw(ODD_WORDS) + text[end:]})
    load(path)


@BUILDS
@given(data=st.data())
def test_values_of_the_configuration(
    good: dict[str, bytes], path: Path, data: st.DataObject
) -> None:
    config = copy.deepcopy(json.loads(good[CONFIG]))
    holders = [part for _, _, part in parts(config) if isinstance(part, dict | list) and part]
    for _ in range(data.draw(st.integers(1, 2))):
        holder: Any = data.draw(st.sampled_from(holders))
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            continue
        key = data.draw(st.sampled_from(keys))
        if data.draw(st.integers(0, 4)):
            holder[key] = data.draw(ODD_VALUES)
        else:
            del holder[key]
    archived(path, {**good, CONFIG: json.dumps(config).encode()})
    load(path)


@BUILDS
@given(data=st.data())
def test_bytes_of_the_weights(good: dict[str, bytes], path: Path, data: st.DataObject) -> None:
    archived(path, {**good, WEIGHTS: data.draw(changed(good[WEIGHTS]))})
    load(path)
