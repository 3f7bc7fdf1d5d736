"""The contract every layer and network keeps: shape, gradients, serialisation, precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from app.models.build import precision

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
TOLERANCE = {"float32": 0.0, "mixed_bfloat16": 0.1, "mixed_float16": 0.02}
Shapes = tuple[int, ...] | dict[str, tuple[int, ...]]


def run_layer_test(
    make: Callable[[], Any],
    input_shape: Shapes,
    expected_shape: tuple[int, ...],
    folder: Path,
    policies: tuple[str, ...] = POLICIES,
) -> None:
    """Run a layer or network, made anew under each policy, through the contract.

    `input_shape` includes the batch. Weights are moved off their initial values first, so that
    ones and zeros cannot hide what was lost on the way.
    """
    x = random_inputs(input_shape)
    reference = None
    for policy in policies:
        keras.utils.set_random_seed(1)
        with precision(policy):
            layer = make()
            layer(x)
            _scatter(layer.trainable_weights)
            outputs = layer(x)
        assert tuple(outputs.shape) == expected_shape
        _check_gradients(layer, x)
        values = np.asarray(outputs, "float32")
        reference = values if reference is None else reference
        _check_close(values, reference, TOLERANCE[policy])
        _check_serialisation(layer, x, folder / f"{policy}.keras")


def random_inputs(shape: Shapes) -> Any:
    """Normal random fields of one shape, or of several by name."""
    draw = np.random.default_rng(0)
    if isinstance(shape, dict):
        return {name: draw.normal(size=part).astype("float32") for name, part in shape.items()}
    return draw.normal(size=shape).astype("float32")


def gradients(layer: Any, x: Any) -> list[np.ndarray]:
    """Gradient of a random projection of the output to every trainable weight."""
    weights = layer.trainable_weights
    with tf.GradientTape() as tape:
        outputs = tf.cast(layer(x, training=True), "float32")
        projection = np.random.default_rng(1).normal(size=outputs.shape)
        total = tf.reduce_mean(outputs * projection.astype("float32"))
    found = tape.gradient(total, [weight.value for weight in weights])
    lacking = [weight.path for weight, part in zip(weights, found, strict=True) if part is None]
    assert not lacking, f"no gradient to {lacking}"
    return [np.asarray(part, "float32") for part in found]


def _check_gradients(layer: Any, x: Any) -> None:
    for weight, part in zip(layer.trainable_weights, gradients(layer, x), strict=True):
        assert np.isfinite(part).all(), weight.path
        assert np.abs(part).max() > 0, weight.path
        assert str(weight.dtype) == "float32"


def _check_serialisation(layer: Any, x: Any, path: Path) -> None:
    """Saved and loaded again, the outputs are the same to the last bit."""
    model = layer
    if not isinstance(layer, keras.Model):
        inputs = _placeholders(x)
        model = keras.Model(inputs, layer(inputs))
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert loaded.count_params() == model.count_params()
    np.testing.assert_array_equal(np.asarray(model(x), "float32"), np.asarray(loaded(x), "float32"))


def _placeholders(x: Any) -> Any:
    if isinstance(x, dict):
        return {name: keras.Input(part.shape[1:], name=name) for name, part in x.items()}
    return keras.Input(x.shape[1:])


def _check_close(values: np.ndarray, reference: np.ndarray, tolerance: float) -> None:
    assert np.isfinite(values).all()
    scale = max(float(np.abs(reference).max()), 1.0)
    np.testing.assert_allclose(values, reference, atol=tolerance * scale)


def _scatter(weights: list[Any]) -> None:
    """Move weights about, biases upwards: a unit that is off for all samples has no gradient."""
    draw = np.random.default_rng(2)
    for weight in weights:
        noise = draw.normal(scale=0.05, size=weight.shape)
        if len(weight.shape) == 1:
            noise = draw.uniform(0.2, 0.6, size=weight.shape)
        weight.assign(weight + noise.astype("float32"))
