"""The model in time: physical known frames in, physical fields at any time between out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from app.arrays import Array, Json, Tensor
from app.errors import InputError
from app.grids import Geometry
from app.grids.sun import sun_response
from app.model_archive import saved_task
from app.models.fitted import PLAIN, Batch, Drawing, FittedModel, as_numbers
from app.models.layers.common import register
from app.models.layers.gaps import MEAN, filled
from app.models.temporal.network import TemporalNetwork, interpolated
from app.models.temporal.spec import TemporalArrays, TemporalSpec
from app.options.chosen import trained_for


@register
class TemporalModel(FittedModel):
    """A network in encoded space, wrapped so that it maps physical frames to physical fields.

    Arguments: spec and arrays, see there; network, a `TemporalNetwork`.

    Input {"frames": `(B, 4, H, W, C + G)` physical: before, first, second, after, of which the
    outer two may be missing (NaN); "theta" `(B,)`: share of the interval that has passed;
    "length" `(B,)`: the interval in steps of training; "time" `(B, 8)`: time features at the
    target time; "sky" `(B, 5, 2)`: `app.data.sky.sky` at the four frames' times and the target
    time}. Output `(B, H, W, C)` physical: the known frames themselves at θ = 0 and 1, NaN
    where one of the two is missing.
    """

    task = "time"
    spec_type = TemporalSpec
    arrays_type = TemporalArrays

    def __init__(
        self, spec: TemporalSpec, arrays: TemporalArrays, network: TemporalNetwork, **kwargs: Any
    ) -> None:
        super().__init__(spec, arrays, network, **kwargs)
        n = self.n_outputs = len(spec.outputs)
        offset, scale = arrays.offset, arrays.scale
        self.codec = self._codec("codec", (*spec.outputs, *spec.guidance), offset, scale)
        own = (offset[..., :n], scale[..., :n])
        self.output_codec = self._codec("output_codec", spec.outputs, *own)
        self._constants(arrays, "static", "static_offset", "static_scale")
        if spec.sun_response:
            self._init_solar()

    def _init_solar(self) -> None:
        """Where each cell is, and how far its fields follow the sun: nothing until it is fitted."""
        grid = Geometry.from_dict(self.spec.geometry).fine
        self.place = tuple(np.radians(angle).astype("float32") for angle in grid.mesh())
        shape = (*grid.shape, len(self.spec.sun_response), self.n_outputs)
        self.solar_coefficients = self._constant("sunny", np.zeros(shape))

    @classmethod
    def load(cls, path: str | Path) -> TemporalModel:
        """A saved model in time. Raises InputError, in one line, where there is none."""
        if saved_task(Path(path)) != cls.task:
            raise InputError(
                f"model {path}: expected a model in time (--trainer={trained_for(cls.task)}), "
                "found none"
            )
        return super().load(path)

    def call(self, inputs: Batch, training: bool = False) -> Tensor:
        n = self.n_outputs
        first, second = inputs["frames"][:, 1, ..., :n], inputs["frames"][:, 2, ..., :n]
        field = self.output_codec.decode(self.encoded(inputs, training=training)["field"])
        field = ops.where(ops.isnan(first) | ops.isnan(second), np.nan, field)
        theta = inputs["theta"][:, None, None, None]
        # Encoding and decoding round; a known frame is to come back bit by bit.
        return ops.where(theta == 0.0, first, ops.where(theta == 1.0, second, field))

    def encoded(self, batch: Batch, training: bool = False) -> Json:
        """The network's answer to physical frames; see `TemporalNetwork`."""
        return self.between(self.codec.encode(batch["frames"]), batch, training=training)

    def between(self, frames: Tensor, batch: Batch, training: bool = False) -> Json:
        """The network's answer to encoded frames `(B, 4, H, W, C + G)`, NaN allowed."""
        result: Json = self.network(self.network_inputs(frames, batch), training=training)
        return result

    def network_inputs(self, frames: Tensor, batch: Batch) -> Batch:
        """What the network takes, of encoded frames and what else is in a batch."""
        if self.spec.gaps != MEAN:
            frames = _closed(frames, self.spec.gaps)
        inputs = {
            "frames": _continued(frames),
            "there": 1.0 - ops.cast(self._lost(frames), "float32"),
            "theta": batch["theta"],
            "length": batch["length"],
        }
        if self.spec.time_channels:
            inputs["time"] = ops.take(batch["time"], np.array(self.spec.time_channels), axis=-1)
        if self.spec.statics:
            inputs["static"] = filled(self._standardised(self.static), self.spec.gaps)[None]
        if self.spec.sun_response:
            inputs["sun"] = self._missed_sun(frames, batch)
            inputs["course"] = ops.einsum("bhwk,hwkc->bhwc", inputs["sun"], self.solar_coefficients)
        return inputs

    def _lost(self, frames: Tensor) -> Tensor:
        """Whether all of the frames before and after is missing: `(B, 2)`."""
        outer = ops.stack([frames[:, 0], frames[:, 3]], axis=1)[..., : self.n_outputs]
        return ops.all(ops.isnan(outer), axis=(2, 3, 4))

    def _missed_sun(self, frames: Tensor, batch: Batch) -> Tensor:
        """What the interpolation misses of the answer to the sun: `(B, H, W, K)`.

        It is interpolated as the fields are: where their outer frames are missing, so are its own.
        """
        lat, lon = self.place
        response = sun_response(ops, batch["sky"], lat, lon, self.spec.sun_response)
        lost = ops.any(ops.isnan(frames[..., : self.n_outputs]), axis=-1, keepdims=True)
        outer = ops.where(lost, np.nan, response[:, :4])
        known = _continued(ops.concatenate([outer[:, :1], response[:, 1:3], outer[:, 3:]], axis=1))
        theta = batch["theta"][:, None, None, None]
        return response[:, 4] - interpolated(known, theta, self.spec.context)

    def missed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the interpolation misses of the sun `(B, H, W, K)` and of the target, encoded."""
        inputs = self.network_inputs(self.codec.encode(batch["frames"]), batch)
        theta = inputs["theta"][:, None, None, None]
        guess = interpolated(inputs["frames"][..., : self.n_outputs], theta, self.spec.context)
        return inputs["sun"], self.output_codec.encode(batch["target"]) - guess

    def predict_fields(
        self, batch: Batch, seed: int = 0, members: int = 1, how: Drawing = PLAIN
    ) -> Array:
        """Physical fields `(1, B, H, W, C)` float32; nothing is drawn."""
        result: Array = self.predict_on_batch(as_numbers(batch))[None]
        return result


def _closed(frames: Tensor, gaps: str) -> Tensor:
    """Frames `(B, 4, H, W, C)` without missing cells; a frame that has no value at all is left."""
    nothing = ops.all(ops.isnan(frames), axis=(2, 3), keepdims=True)
    return ops.where(nothing, np.nan, filled(frames, gaps))


def _continued(frames: Tensor) -> Tensor:
    """Frames `(B, 4, H, W, C)` without NaN.

    A missing outer frame becomes the continuation of the polynomial through the others, so that
    the cubic interpolation falls back to the quadratic, or to the linear one.
    """
    before, first, second, after = (frames[:, k] for k in range(4))
    first, second = filled(first, MEAN), filled(second, MEAN)
    straight = ops.where(ops.isnan(after), 2 * first - second, 3 * first - 3 * second + after)
    onward = ops.where(ops.isnan(before), 2 * second - first, 3 * second - 3 * first + before)
    before = ops.where(ops.isnan(before), straight, before)
    after = ops.where(ops.isnan(after), onward, after)
    return ops.stack([before, first, second, after], axis=1)
