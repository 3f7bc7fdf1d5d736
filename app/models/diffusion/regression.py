"""A trained model as first guess: regression first, then diffusion of what it leaves."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from app.arrays import Json, Tensor
from app.models.layers.common import register
from app.models.physical import PhysicalModel


@register
class ModelGuess(keras.layers.Layer):
    """The fields of a trained model, which is never changed.

    Input {"coarse": `(B, h, w, Cin)` physical, "time": `(B, 4)`}, output `(B, H, W, C)` physical.
    Reference: Mardani et al. 2025, doi:10.1038/s43247-025-02042-5 (CorrDiff).
    """

    encoded = False  # in which space it works
    n_fits = 0  # of which members draw their own

    def __init__(self, model: PhysicalModel, **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.model = model
        self.trainable = False
        self.built = True

    @property
    def tied_to_grid(self) -> bool:
        """Whether the model's weights belong to grid points."""
        return self.model.tied_to_grid

    def get_config(self) -> Json:
        config: Json = super().get_config()
        return {**config, "model": keras.saving.serialize_keras_object(self.model)}

    @classmethod
    def from_config(cls, config: Json) -> ModelGuess:
        model = keras.saving.deserialize_keras_object(config.pop("model"))
        return cls(model, **config)

    def call(self, inputs: dict[str, Tensor]) -> Tensor:
        batch = {"coarse": inputs["coarse"], "time": inputs["time"]}
        return ops.stop_gradient(self.model(batch, training=False))
