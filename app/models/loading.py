"""Saved models are loaded as data: only known classes, no larger than their saved weights."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import keras

from app import plugins
from app.arrays import Json
from app.errors import InputError, one_line
from app.integrity.archives import archive_damage
from app.model_archive import CONFIG, WEIGHTS, parts, read_config, refuse_without_plugins
from app.models.layers.common import PACKAGE

# Keras's own classes in configurations of networks of this package, besides those registered.
KERAS_CLASSES = {
    "keras": {"DTypePolicy"},
    "keras.layers": {
        *("Activation", "Add", "AveragePooling2D", "BatchNormalization", "Concatenate", "Conv2D"),
        *("Conv2DTranspose", "Dense", "DepthwiseConv2D", "Dropout", "Embedding"),
        *("GaussianDropout", "GlobalAveragePooling2D", "GroupNormalization", "InputLayer"),
        *("LayerNormalization", "MaxPooling2D", "SpatialDropout2D"),
    },
    "keras.initializers": {
        *("Constant", "GlorotUniform", "Ones", "RandomNormal", "RandomUniform", "Zeros"),
    },
    "keras.src.models.functional": {"Functional"},
    "keras.src.ops.numpy": {"GetItem"},
    None: {"__keras_tensor__", "__slice__"},
}
NETWORKS = ("network", "first_guess")  # keys of a model's configuration that hold layers
LARGEST = 1 << 20  # of a layer's whole numbers: widths, kernels, cells along a side
FREE = ("seed", "shared_object_id")
SPARE = 1 << 20  # numbers that a model may hold beside its weights, such as states of generators


def load_model(path: Path) -> keras.Model:
    """The model of a `.keras` file, not compiled.

    Raises InputError, in one line, where there is none to be read, where it names a class that
    is not of this package or a layer that its networks do not consist of, and where it would
    need more memory than its weights account for. Weights that make the HDF5 library itself
    fail are not foreseen.
    """
    config = read_config(path)
    damage = archive_damage(path)
    if damage is not None:
        raise InputError(f"model {path}: {damage}; the stage train of its run makes it again")
    try:
        refuse_without_plugins(config, path)
        plugins.define_layers()
        count = _count_weights(path)
        _check_classes(config, path)
        _check_sizes(config, count, path)
        with _at_most(2 * count + SPARE, path):
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except InputError:
        raise
    except Exception as error:  # Keras raises whatever the damaged part happens to break
        refusal = _refusal_within(error)
        if refusal is not None:
            raise refusal from error
        raise InputError(f"model {path}: cannot be read ({one_line(error)})") from error


def _check_classes(config: Json, path: Path) -> None:
    config = {**config, "compile_config": None}  # which is never read
    for _, _, part in parts(config):
        if not isinstance(part, dict) or "class_name" not in part:
            continue
        name, module = part["class_name"], part.get("module")
        registered = part.get("registered_name")
        own = isinstance(registered, str) and registered == f"{PACKAGE}>{name}"
        if own and keras.saving.get_registered_object(registered) is not None:
            continue
        if _of_plugin(registered):
            continue
        if not isinstance(name, str) or not isinstance(module, str | None):
            raise InputError(f"model {path}: {CONFIG}: a class without a name")
        if name not in KERAS_CLASSES.get(module, ()) or registered not in (None, name):
            where = f"{module}." if module else ""
            raise InputError(
                f"model {path}: holds a {where}{name}, which no model of {PACKAGE} consists of; "
                "nothing of it was loaded"
            )


def _of_plugin(registered: Any) -> bool:
    """Whether a class is registered by a plugin in use."""
    found = keras.saving.get_registered_object(registered) if isinstance(registered, str) else None
    return found is not None and plugins.in_use(found.__module__)


def _check_sizes(config: Json, count: int, path: Path) -> None:
    """InputError for arrays beyond the saved weights, and for layers of absurd numbers."""
    for _, key, part in parts(config):
        if key == "shapes" and isinstance(part, dict):
            for shape in part.values():
                if not isinstance(shape, list) or not all(map(_is_length, shape)):
                    raise InputError(f"model {path}: {CONFIG}: shapes: {shape!r:.40}")
                if math.prod(shape) > count:
                    raise InputError(
                        f"model {path}: an array of {math.prod(shape):,} numbers; its weights "
                        f"have {count:,}"
                    )
        if key in NETWORKS:
            for _, name, number in parts(part):
                if type(number) is int and abs(number) > LARGEST and name not in FREE:
                    raise InputError(
                        f"model {path}: a layer with {name} = {number}; expected at most {LARGEST}"
                    )


def _is_length(value: Any) -> bool:
    return type(value) is int and value >= 0


def _count_weights(path: Path) -> int:
    """How many numbers the saved weights have.

    InputError where they lie in other files, or are not plain arrays of numbers.
    """
    count = 0

    def add(name: str, link: h5py.HardLink | Any) -> None:
        nonlocal count
        if not isinstance(link, h5py.HardLink):
            raise InputError(f"model {path}: {WEIGHTS}: {name} is a link")
        found = file[name]
        if not isinstance(found, h5py.Dataset):
            return
        plain = found.dtype.kind in "biuf" or found.dtype.name == "bfloat16"
        elsewhere = found.external or found.is_virtual
        stored = found.chunks is None and found.compression is None
        if elsewhere or not plain or not stored:
            raise InputError(f"model {path}: {WEIGHTS}: {name} is no plain array of numbers")
        count += found.size or 0

    with zipfile.ZipFile(path) as archive, archive.open(WEIGHTS) as member:
        with h5py.File(member, "r") as file:
            file.visititems_links(add)
        if count > archive.getinfo(WEIGHTS).file_size:
            raise InputError(f"model {path}: {WEIGHTS}: more numbers than bytes")
    return count


@contextmanager
def _at_most(numbers: int, path: Path) -> Iterator[None]:
    """Within it, InputError before Keras makes room for more than so many weights in all."""
    made = 0
    begin = keras.Variable.__init__

    def counted(self: Any, initializer: Any, shape: Any = None, *more: Any, **named: Any) -> None:
        nonlocal made
        made += 0 if shape is None else math.prod(int(length) for length in shape)
        if made > numbers:
            raise InputError(
                f"model {path}: its layers have more weights than {WEIGHTS} holds; nothing of it "
                "was loaded"
            )
        begin(self, initializer, shape, *more, **named)

    keras.Variable.__init__ = counted
    try:
        yield
    finally:
        keras.Variable.__init__ = begin


def _refusal_within(error: BaseException | None) -> InputError | None:
    """Our own refusal where Keras has wrapped it into an error of its own."""
    while error is not None and not isinstance(error, InputError):
        error = error.__cause__ or error.__context__
    return error
