"""A model file of somebody else is data: it runs no code, reads no other file, fills no memory."""

import pickle
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from saved_models import archive_of, layers, members, small_model, with_config, with_weights

from app.errors import InputError
from app.model_archive import CONFIG, WEIGHTS, saved_task
from app.models import PhysicalModel
from app.models.loading import load_model

MOST_MEMORY = 64 << 20  # bytes; the model itself has a few thousand


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    path = tmp_path_factory.mktemp("good") / "model.keras"
    small_model().save(path)
    return members(path)


def refusal(path: Path) -> str:
    """The one line in which a model is refused, before it takes any memory to speak of."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            load_model(path)
        assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    finally:
        tracemalloc.stop()
    line = str(caught.value)
    assert str(path) in line
    assert "\n" not in line
    assert len(line) < 600
    return line


def convolution(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the first block of convolutions."""
    return next(one["config"] for one in layers(config) if "filters" in one["config"])


def replace_layer(kind: str, package: str, registered: str | None = None, /, **own: Any) -> Any:
    def change(config: dict[str, Any]) -> None:
        inner = {**own, "name": layers(config)[1]["config"]["name"]}
        layers(config)[1] |= {
            "class_name": kind, "module": package, "registered_name": registered, "config": inner
        }  # fmt: skip

    return change


def test_the_unchanged_model_is_read(good: dict[str, bytes], tmp_path: Path) -> None:
    path = archive_of(tmp_path / "again.keras", good, zipfile.ZIP_DEFLATED)
    model = PhysicalModel.load(path)
    fields = {"coarse": np.full((1, 4, 4, 1), 281.0), "time": np.zeros((1, 4))}
    assert model.predict_fields(fields).shape == (1, 1, 8, 8, 1)


LAMBDA = keras.layers.serialize(keras.layers.Lambda(lambda x: x, name="f"))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (replace_layer("Lambda", "keras.layers", **LAMBDA["config"]), "keras.layers.Lambda"),
        (replace_layer("TFSMLayer", "keras.layers", filepath="/etc"), "TFSMLayer"),
        (replace_layer("TorchModuleWrapper", "keras.layers", module=""), "TorchModuleWrapper"),
        (replace_layer("StringLookup", "keras.layers", vocabulary="/etc/passwd"), "StringLookup"),
        (replace_layer("Popen", "subprocess", args=["true"]), "subprocess.Popen"),
        (replace_layer("function", "os", "function"), "os.function"),
        (replace_layer("Evil", "evil", "finescale>Evil"), "evil.Evil"),
        (replace_layer("ConvBlock", "evil", "other>ConvBlock"), "evil.ConvBlock"),
        (replace_layer("Dense", "app.models", "Dense"), "app.models.Dense"),
    ],
    ids=["lambda", "saved-model", "torch", "reads-a-file", "process", "function", "unknown",
         "of-another-package", "of-another-module"],
)  # fmt: skip
def test_other_classes_are_refused_by_name(
    good: dict[str, bytes], tmp_path: Path, change: Any, named: str
) -> None:
    line = refusal(with_config(tmp_path / "other.keras", good, change))
    assert named in line
    assert "nothing of it was loaded" in line


def test_a_class_hidden_in_an_argument_is_refused(good: dict[str, bytes], tmp_path: Path) -> None:
    def hide(config: dict[str, Any]) -> None:
        convolution(config)["activation"] = {"class_name": "function", "config": "os.system"}

    assert "a function, which" in refusal(with_config(tmp_path / "a.keras", good, hide))


@pytest.mark.parametrize("width", [10**9, 2**62, 200_000])
def test_layers_larger_than_their_weights_are_refused(
    good: dict[str, bytes], tmp_path: Path, width: int
) -> None:
    def widen(config: dict[str, Any]) -> None:
        convolution(config)["filters"] = width

    line = refusal(with_config(tmp_path / "wide.keras", good, widen))
    assert "filters = " in line or "more weights than" in line


def test_arrays_larger_than_the_weights_are_refused(good: dict[str, bytes], tmp_path: Path) -> None:
    def widen(config: dict[str, Any]) -> None:
        config["config"]["shapes"]["mask"] = [100_000, 100_000, 1]

    line = refusal(with_config(tmp_path / "wide.keras", good, widen))
    assert "an array of 10,000,000,000 numbers" in line


def test_deep_and_crowded_configurations_are_refused(
    good: dict[str, bytes], tmp_path: Path
) -> None:
    for text, words in [
        (b"[" * 100_000, "cannot be read"),
        (b"[" * 900_000 + b"]" * 900_000, "cannot be read"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "nested more than"),
        (b"[" + b"[]," * 2_000_000 + b"[]]", "more than 1000000 lists"),
        (b"[1]", "expected a mapping"),
        (b'{"class_name": ' + b"9" * 5000 + b"}", "cannot be read"),
    ]:
        path = archive_of(tmp_path / "deep.keras", {**good, CONFIG: text})
        assert words in refusal(path)
        assert saved_task(path) is None


def test_archives_that_unpack_to_far_more_are_refused(
    good: dict[str, bytes], tmp_path: Path
) -> None:
    for name in (CONFIG, WEIGHTS):
        bomb = {**good, name: b" " * (32 << 20)}
        path = archive_of(tmp_path / "bomb.keras", bomb, zipfile.ZIP_DEFLATED)
        assert "would unpack from" in refusal(path)
        assert saved_task(path) is None


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "assets/../../evil", "C:\\evil", "model.weights.npz"]
)
def test_other_members_are_refused(good: dict[str, bytes], tmp_path: Path, name: str) -> None:
    path = archive_of(tmp_path / "more.keras", {**good, name: b"x"})
    assert "; expected config.json, metadata.json" in refusal(path)


def test_a_pickle_in_the_place_of_the_weights_is_not_opened(
    good: dict[str, bytes], tmp_path: Path
) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "touched",)

    content = {name: data for name, data in good.items() if name != WEIGHTS}
    path = archive_of(tmp_path / "a.keras", {**content, "model.weights.npz": pickle.dumps(Evil())})
    assert "model.weights.npz" in refusal(path)
    path = archive_of(tmp_path / "b.keras", {**content, WEIGHTS: pickle.dumps(Evil())})
    assert "cannot be read" in refusal(path)
    assert not (tmp_path / "touched").exists()


def _external(file: Any) -> None:
    file.create_dataset("more", shape=(8,), dtype="u1", external=[("/etc/passwd", 0, 8)])


def _linked(file: Any) -> None:
    import h5py

    file["more"] = h5py.ExternalLink("/etc/other.h5", "/x")


def _huge(file: Any) -> None:
    file.create_dataset("more", shape=(10**13,), dtype="f4", chunks=(1024,))


def _objects(file: Any) -> None:
    import h5py

    file.create_dataset("more", data=["text"], dtype=h5py.string_dtype())


@pytest.mark.parametrize("change", [_external, _linked, _huge, _objects], ids=lambda f: f.__name__)
def test_weights_are_plain_numbers_of_the_file_itself(
    good: dict[str, bytes], tmp_path: Path, change: Any
) -> None:
    line = refusal(with_weights(tmp_path / "a.keras", good, change))
    assert "more is a link" in line or "more is no plain array" in line


def test_a_model_under_the_name_of_an_older_format_is_refused(
    good: dict[str, bytes], tmp_path: Path
) -> None:
    assert "ends in .keras" in refusal(archive_of(tmp_path / "model.h5", good))
