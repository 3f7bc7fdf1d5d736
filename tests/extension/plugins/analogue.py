"""A method: analogues, the mean of the training days whose coarse fields are most alike.

The training period itself is the model. With --first_guess=bilinear it keeps what the
interpolation lacked on those days. Reference: Zorita and von Storch 1999.
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import logging

import app
from app.baselines.base import coarse_inputs
from app.grids import Geometry
from app.methods.spatial.method import SpatialMethod, begin_fields

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.models import ModelSpec, PhysicalModel
    from app.session import Session

NEIGHBOURS = 5
BLOCK = 64  # training samples read at once


@cache
def layers() -> Any:
    """The Keras class of this file; Keras is imported only when a model is made or loaded."""
    import keras
    from keras import ops

    @keras.saving.register_keras_serializable("analogue")
    class Analogues(keras.layers.Layer):
        """Mean of the nearest samples by 1 / distance, `(B, h, w, D)` to `(B, H, W, C)`.

        Arguments: samples, how many; channels, that are compared; fine, the shape (H, W, C).
        """

        def __init__(self, samples: int, channels: int, fine: list[int], **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.samples, self.channels, self.fine = samples, channels, list(fine)

        def get_config(self) -> dict[str, Any]:
            names = ("samples", "channels", "fine")
            return {**super().get_config(), **{name: getattr(self, name) for name in names}}

        def build(self, input_shape: tuple[int, ...]) -> None:
            length = input_shape[1] * input_shape[2] * self.channels
            shapes = {"coarse": (self.samples, length), "answers": (self.samples, *self.fine)}
            for name, shape in shapes.items():
                setattr(self, name, self.add_weight(shape, "zeros", trainable=False, name=name))

        def call(self, x: Any) -> Any:
            x = ops.reshape(x[..., : self.channels], (ops.shape(x)[0], -1))
            squares = ops.sum(ops.square(x[:, None] - self.coarse[None]), axis=-1)
            nearest, rows = ops.top_k(-squares, min(NEIGHBOURS, self.samples))
            weights = ops.softmax(-ops.log(ops.sqrt(-nearest) + 1e-6))  # 1 / distance, of sum 1
            return ops.einsum("bk,bkyxc->byxc", weights, ops.take(self.answers, rows, axis=0))

    return Analogues


@app.register("trainer", "AnalogueTrainer", "mean of the training days that are most alike")
class Analogue(SpatialMethod):
    """Keeps the training period, encoded; --first_guess says what is taken off it."""

    def train(self, session: Session) -> None:
        experiment, folder = session.experiment, session.folder
        folder.check(experiment.flags, experiment.overwrite)
        if folder.model.is_file() and not experiment.overwrite:
            logging.info("%s: already trained", folder.path)
            return
        communicator = session.communicator  # TensorFlow is started before anything imports it

        from app.methods.spatial.model import build_model
        from app.models.saving import save_model

        shards = session.shards
        self.check_data(experiment, shards)
        if session.ranks.first:
            make = partial(_network, samples=shards.size("train"))
            model = build_model(experiment, shards, session.ranks, make_network=make)
            _fill(model, shards)
            begin_fields(session, shards, model, overwrite=experiment.overwrite)
            save_model(model, folder.model)
        communicator.barrier()


def _network(spec: ModelSpec, samples: int) -> Any:
    h, w = Geometry.from_dict(spec.geometry).coarse_shape
    fine = [h * spec.scale, w * spec.scale, len(spec.outputs)]
    channels = len(spec.inputs)
    import keras

    coarse = keras.Input((h, w, channels + len(spec.time_channels) + spec.n_static), name="coarse")
    inputs = {"coarse": coarse}
    if spec.n_static:
        inputs["static"] = keras.Input((*fine[:2], spec.n_static), name="static")
    answer = layers()(samples, channels, fine, name="analogues")(coarse)
    return keras.Model(inputs, answer, name="analogues")


def _fill(model: PhysicalModel, shards: Shards) -> None:
    """Keep the training period in the model: encoded inputs, and answers less the first guess."""
    size, layer = shards.size("train"), model.network.get_layer("analogues")
    keys = np.zeros(layer.coarse.shape, "f4")
    answers = np.zeros(layer.answers.shape, "f4")
    for rows in np.split(np.arange(size), range(BLOCK, size, BLOCK)):
        coarse, time = coarse_inputs(shards, rows, "train"), shards.time_features("train", rows)
        encoded = np.asarray(model.encode_inputs(coarse, time=time)["coarse"])
        keys[rows] = encoded[..., : layer.channels].reshape(len(rows), -1)
        fine = shards.geometry.pad_field(shards.read("hr", "train", rows), axes=(1, 2))
        answer = np.asarray(model.encode_targets(fine))
        guess = model.guess(coarse, time)
        answers[rows] = np.nan_to_num(answer if guess is None else answer - np.asarray(guess))
    layer.coarse.assign(keys)
    layer.answers.assign(answers)
