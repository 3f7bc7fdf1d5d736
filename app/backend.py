"""TensorFlow as the run wants it: quiet, on its device, with its threads, precision and seed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from absl import logging

from app.errors import InputError
from app.options import MachineConfig
from app.ranks import Ranks

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def start(machine: MachineConfig, ranks: Ranks, threads: int, seed: int) -> None:
    """Import and configure TensorFlow and Keras; to be called before anything imports them."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with _silent_stderr():
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
    _choose_device(tf, gpus, machine, ranks)
    _set_threads(tf, threads)
    tf.config.experimental.enable_op_determinism()

    import keras

    import app.models  # noqa: F401  registers the layers that saved models consist of

    keras.config.set_dtype_policy(POLICIES[machine.precision])
    keras.utils.set_random_seed(seed)


def clear(seed: int) -> None:
    """Begin anew within one process: names of layers and the seeds of what is drawn."""
    import keras

    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)


def _set_threads(tf: Any, threads: int) -> None:
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:  # a second run within one process, as in a notebook
        logging.info("TensorFlow runs already; its threads stay as they are")


def _choose_device(tf: Any, gpus: list[Any], machine: MachineConfig, ranks: Ranks) -> None:
    """One GPU a rank, by its number on the node; none at all for --device=CPU."""
    if machine.device == "GPU" and not gpus:
        raise InputError("--device=GPU: TensorFlow sees no GPU here; leave the flag out or say CPU")
    try:
        if machine.device == "CPU" or not gpus:
            tf.config.set_visible_devices([], "GPU")
            return
        gpu = gpus[ranks.local_rank % len(gpus)]
        tf.config.set_visible_devices(gpu, "GPU")
        tf.config.experimental.set_memory_growth(gpu, machine.gpu_memory_growth)
    except RuntimeError:  # in a notebook that has used TensorFlow before
        logging.warning("TensorFlow runs already; its devices stay as they are")


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Hide what native libraries write while they load: log levels do not reach all of it."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def on_gpu() -> bool:
    """Whether this process, once started, computes on a GPU."""
    import tensorflow as tf

    return bool(tf.config.get_visible_devices("GPU"))
