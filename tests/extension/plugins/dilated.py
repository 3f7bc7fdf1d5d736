"""A backbone: dilated convolutions, the features of which a gate weighs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import app

if TYPE_CHECKING:
    from app.options import ModelConfig


@cache
def layers() -> Any:
    """The Keras class of this file; Keras is imported only when a network is made or loaded."""
    import keras
    from keras import ops

    @keras.saving.register_keras_serializable("dilated")
    class Gate(keras.layers.Layer):
        """Channels weighed by what they are on average, after Hu et al. 2018, arXiv:1709.01507."""

        def build(self, input_shape: tuple[int | None, ...]) -> None:
            self.dense = keras.layers.Dense(input_shape[-1], activation="sigmoid")
            self.dense.build((None, input_shape[-1]))

        def call(self, x: Any) -> Any:
            return x * self.dense(ops.mean(x, axis=(1, 2)))[:, None, None]

    return Gate


@app.register("backbone", "dilated", "dilated convolutions with a gate; spatial samples")
def backbone(x: Any, config: ModelConfig) -> Any:
    """`(B, h, w, Cin)` to `(B, h, w, F)`."""
    import keras

    gate = layers()
    options = {"padding": "same", "activation": config.activation}
    y = keras.layers.Conv2D(config.n_filters, 3, name="stem", **options)(x)
    for number in range(1, config.n_blocks + 1):
        rate = 2 ** (number - 1)
        z = keras.layers.Conv2D(
            config.n_filters, 3, dilation_rate=rate, name=f"block_{number}", **options
        )(y)
        y = keras.layers.Add()([y, gate(name=f"gate_{number}")(z)])
    return y
