"""The contract every layer and network keeps: shape, gradients, serialisation, precision."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from app.distributed import Communicator
from app.methods.supervised.trainer import SupervisedTrainer
from app.models import PhysicalModel
from app.models.build import precision
from app.options import TrainingConfig
from app.ranks import Ranks

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
TOLERANCE = {"float32": 0.0, "mixed_bfloat16": 0.1, "mixed_float16": 0.02}
TRAINING_STEPS = 3
ROUNDING = 1e-6  # of the largest gradient; what is smaller comes of rounding
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


def run_training_contract(
    model: PhysicalModel, batch: dict[str, np.ndarray], expected_shape: tuple[int, ...], path: Path
) -> None:
    """Train a physical model for three steps, then save, load and predict.

    Every loss is finite, every weight has a gradient, and the file predicts what the model does,
    in the expected shape (a batch of it).
    """
    _scatter(model.network.trainable_weights)
    trainer = SupervisedTrainer(
        model,
        TrainingConfig(loss="mse"),
        Communicator(Ranks()),
        steps_per_epoch=TRAINING_STEPS,
        data_range=np.full(batch["hr"].shape[-1], 6.0),
    )
    before = [np.array(weight) for weight in model.network.trainable_weights]
    for _ in range(TRAINING_STEPS):
        trainer.start_epoch()
        trainer.train_step(batch)
        assert np.isfinite(trainer.epoch_losses()["loss"])
    moved = model.network.trainable_weights
    for weight, old in zip(moved, before, strict=True):
        assert np.isfinite(weight).all(), weight.path
        assert (np.asarray(weight) != old).any(), weight.path
    inputs = model.encode_inputs(batch["coarse"], time=batch["time"])
    _check_gradients(model.network, inputs)
    model.save(path)
    loaded = PhysicalModel.load(path)
    predicted = model.predict_fields(batch)
    assert predicted.shape == (1, len(batch["coarse"]), *expected_shape)
    assert np.isfinite(predicted).all()
    np.testing.assert_array_equal(loaded.predict_fields(batch), predicted)


def _check_gradients(layer: Any, x: Any) -> None:
    found = gradients(layer, x)
    largest = max((float(np.abs(part).max()) for part in found), default=0.0)
    shifted_away = _biases_before_batch_norm(layer)
    for weight, part in zip(layer.trainable_weights, found, strict=True):
        assert np.isfinite(part).all(), weight.path
        if weight.path not in shifted_away:
            assert np.abs(part).max() > ROUNDING * largest, weight.path
        assert str(weight.dtype) == "float32"


def _biases_before_batch_norm(layer: Any) -> set[str]:
    """Paths of biases whose effect the normalisation behind them takes away again."""
    chains = [getattr(inner, "chain", []) for inner in layer._flatten_layers()]
    return {
        convolution.bias.path
        for chain in chains
        for convolution, behind in pairwise(chain)
        if isinstance(behind, keras.layers.BatchNormalization)
        and getattr(convolution, "bias", None) is not None
    }


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
