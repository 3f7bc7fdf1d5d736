"""DL4DS 1.8.0: training steps of its networks, or epochs of its own trainer's data and defaults."""

from __future__ import annotations

import os
import sys
import types
from typing import Any

from scripts.benchmarks.networks import CELLS, NETWORKS, SCALE
from scripts.benchmarks.serving import Step, serve


def prepare(task: dict[str, Any]) -> tuple[dict[str, Any], Step]:
    """The network of a task on a constant batch, or, with "data", epochs on arrays of a file."""
    dl4ds, tf = imported(task["threads"])
    if task["precision"] != "float32":
        tf.keras.mixed_precision.set_global_policy(f"mixed_{task['precision']}")
    facts = {"versions": {"dl4ds": dl4ds.__version__, "tensorflow": tf.__version__}}
    if "data" in task:
        return facts, _epochs(dl4ds, tf, task)
    network = NETWORKS[task["network"]]
    assert network.dl4ds is not None
    name, arguments = network.dl4ds
    model = getattr(dl4ds.models, name)(**arguments)
    model.compile(optimizer=tf.keras.optimizers.Adam(1e-3), loss="mae")
    frames = () if network.frames is None else (network.frames,)
    fine = arguments.get("hr_size", (CELLS, CELLS))
    coarse = fine if "hr_size" in arguments else (CELLS // SCALE, CELLS // SCALE)
    x = tf.random.normal((network.batch, *frames, *coarse, 1))
    y = tf.random.normal((network.batch, *frames, *fine, 1))
    data = tf.data.Dataset.from_tensors((x, y)).repeat()

    def step(count: int) -> None:
        model.fit(data, steps_per_epoch=count, epochs=1, verbose=0)

    weights = sum(int(tf.size(w)) for w in model.trainable_weights)
    return {**facts, "weights": weights, "batch": network.batch}, step


def imported(threads: int) -> tuple[Any, Any]:
    """DL4DS and TensorFlow, without the viewer that DL4DS draws its figures with."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    viewer = types.ModuleType("ecubevis")
    sys.modules["ecubevis"] = viewer
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    import dl4ds

    return dl4ds, tf


def _epochs(dl4ds: Any, tf: Any, task: dict[str, Any]) -> Step:
    """Epochs of a resnet with spc by the defaults of DL4DS; answers with the error of the test."""
    import numpy as np

    with np.load(task["data"]) as arrays:
        parts = {name: arrays[name] for name in arrays.files}
    mean, deviation = parts["train"].mean(), parts["train"].std()
    fields = {
        name: ((parts[name] - mean) / deviation).astype("float32")
        for name in ("train", "validation", "test")
    }
    statics = [parts["static"][..., i] for i in range(parts["static"].shape[-1])]
    statics = [((one - one.mean()) / one.std()).astype("float32") for one in statics]
    height, width = parts["train"].shape[1:3]
    generators = {
        name: dl4ds.DataGenerator(
            values,
            None,
            backbone="resnet",
            upsampling="spc",
            scale=SCALE,
            batch_size=32,
            static_vars=statics,
            interpolation="inter_area",
        )
        for name, values in fields.items()
    }
    model = dl4ds.models.net_postupsampling(
        backbone_block="resnet",
        upsampling="spc",
        scale=SCALE,
        lr_size=(height // SCALE, width // SCALE),
        n_channels=1 + len(statics),
        n_aux_channels=len(statics),
        n_filters=8,
        n_blocks=6,
        dropout_rate=0.2,
        dropout_variant="vanilla",
    )
    model.compile(optimizer=tf.keras.optimizers.Adam(1e-3), loss="mae", metrics=["mse"])

    def step(count: int) -> dict[str, float]:
        if count < 0:  # the error alone, whose time does not count
            _, squared = model.evaluate(generators["test"], verbose=0)
            return {"rmse": float(squared**0.5 * deviation)}
        validation = generators["validation"]
        model.fit(generators["train"], validation_data=validation, epochs=count, verbose=0)
        return {}

    return step


if __name__ == "__main__":
    serve(prepare)
