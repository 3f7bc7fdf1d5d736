"""The base of trained models: a network wrapped with what was fitted for it, saved and loaded."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import numpy as np
from keras import ops

from app.arrays import Array, Json, Tensor
from app.errors import InputError
from app.models.codec import Codec
from app.models.diffusion.samplers import SamplingOptions
from app.models.loading import load_model
from app.models.spec import Arrays, Channel, Spec

Batch = Mapping[str, Tensor]


@dataclass(frozen=True)
class Drawing:
    """How fields are drawn from a model, beside seed and number of members.

    levels: quantiles given in the place of members, by models that predict a distribution.
    sampling: of diffusion models; None takes the options that the model was saved with. check:
    called wherever a model works for long within a batch; it may raise.
    """

    levels: tuple[float, ...] = ()
    sampling: SamplingOptions | None = None
    check: Callable[[], None] = lambda: None


PLAIN = Drawing()


class FittedModel(keras.Model):
    """Physical fields in, physical fields out: a network, and the arrays fitted for it.

    Everything but the network stays float32, whatever the precision policy, because bfloat16
    knows 280 K only to the nearest 2 K. `network` alone holds what is trained.

    Arguments:
        spec: everything that is no array.
        arrays: scaling and constant fields.
        network: works in encoded space; its output is float32.

    A subclass names its task, and the types of its spec and arrays; it adds codecs and constants
    in its constructor, always in the same order, which is that of the saved weights.
    """

    task: ClassVar[str]
    share: Tensor | None = None  # (C,) of the network's correction, where it is scaled
    spec_type: ClassVar[type[Spec]]
    arrays_type: ClassVar[type[Arrays]]

    def __init__(self, spec: Any, arrays: Any, network: keras.Model, **kwargs: Any) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.spec = spec
        self.network = network
        self.shapes = arrays.shapes
        self.jit_compile = False  # XLA makes CPUs slower
        self.built = True

    def build(self, input_shape: Any = None) -> None:
        """Nothing is left to be built: all shapes are known from the start."""

    def get_config(self) -> Json:
        return {
            "name": self.name,
            "task": self.task,
            "spec": self.spec.to_dict(),
            "shapes": {name: list(shape) for name, shape in self.shapes.items()},
            "network": keras.saving.serialize_keras_object(self.network),
        }

    @classmethod
    def from_config(cls, config: Json, custom_objects: Any = None) -> Self:
        return cls(
            cls.spec_type.from_dict(config["spec"]),
            cls.arrays_type.blank(config["shapes"]),
            keras.saving.deserialize_keras_object(config["network"], custom_objects),
            name=config["name"],
            **cls._own_arguments(config, custom_objects),
        )

    @classmethod
    def _own_arguments(cls, config: Json, custom_objects: Any) -> Json:
        """Extra constructor arguments of a subclass, from its saved config."""
        return {}

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """A saved model. Raises InputError, in one line, where there is none of this kind."""
        model = load_model(Path(path))
        if not isinstance(model, cls):
            found = type(model).__name__
            raise InputError(f"model {path}: holds a {found}, expected a finescale {cls.__name__}")
        return model

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Wet thresholds of the outputs, encoded; none of them unless amounts are predicted."""
        return ()

    @abstractmethod
    def predict_fields(
        self, batch: Batch, seed: int = 0, members: int = 1, how: Drawing = PLAIN
    ) -> Array:
        """Physical fields `(members, B, y, x, C)` float32 on the unpadded fine grid."""

    def _codec(self, name: str, channels: Sequence[Channel], offset: Array, scale: Array) -> Codec:
        """A fitted codec; offset and scale are (C,) or (H, W, C)."""
        codec = Codec(channels, offset.shape, name=name)
        codec.fit(offset, scale)
        return codec

    def _constant(self, name: str, values: Array) -> Tensor:
        weight = self.add_weight(
            shape=values.shape, initializer="zeros", trainable=False, name=name
        )
        weight.assign(values.astype("float32"))
        return weight

    def _constants(self, arrays: Any, *names: str) -> None:
        """Keep some of the arrays under their own names."""
        for name in names:
            setattr(self, name, self._constant(name, getattr(arrays, name)))

    def _standardised(self, static: Tensor) -> Tensor:
        """Encoded statics of physical ones; NaN stays NaN."""
        return (static - self.static_offset) / self.static_scale


def as_numbers(batch: Batch) -> dict[str, Array]:
    """What of a batch a network takes, float32; time stamps would not fit into that."""
    return {n: np.asarray(values, "float32") for n, values in batch.items() if n != "seconds"}


def zero_missing(x: Tensor) -> Tensor:
    """Missing values as 0, which is the training mean where fields are encoded."""
    return ops.where(ops.isnan(x), 0.0, x)
