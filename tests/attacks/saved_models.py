"""A small saved model, and copies of it that somebody else has changed."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from app.model_archive import CONFIG, WEIGHTS
from app.models import Channel, ModelArrays, ModelSpec, PhysicalModel, build_network
from app.options import ModelConfig


def small_model() -> PhysicalModel:
    """One field of 4 × 4 cells to one of 8 × 8."""
    spec = ModelSpec(
        inputs=(Channel("t", "K"),),
        outputs=(Channel("t", "K"),),
        n_lr=1,
        geometry={"scale": 2, "pad": [0, 0, 0, 0]},
    )
    one = np.ones(1)
    arrays = ModelArrays(280 * one, one, 280 * one, one, mask=np.ones((8, 8, 1)))
    config = ModelConfig(n_filters=2, n_blocks=1, backbone="convnet")
    network = build_network(config, n_inputs=1, n_static=0, n_outputs=1, scale=2)
    return PhysicalModel(spec, arrays, network)


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(
    path: Path, content: dict[str, bytes], compression: int = zipfile.ZIP_STORED
) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def with_config(path: Path, good: dict[str, bytes], change: Callable[[Any], Any]) -> Path:
    """The model with a changed configuration; `change` may change in place or return another."""
    config = json.loads(good[CONFIG])
    config = change(config) or config
    return archive_of(path, {**good, CONFIG: json.dumps(config).encode()})


def with_weights(path: Path, good: dict[str, bytes], change: Callable[[Any], None]) -> Path:
    """The model with changed weights: `change` gets the HDF5 file."""
    import h5py

    buffer = io.BytesIO(good[WEIGHTS])
    with h5py.File(buffer, "r+") as file:
        change(file)
    return archive_of(path, {**good, WEIGHTS: buffer.getvalue()})


def layers(config: dict[str, Any]) -> list[dict[str, Any]]:
    """The layers of the network, as they stand in the model's configuration."""
    found: list[dict[str, Any]] = config["config"]["network"]["config"]["layers"]
    return found
