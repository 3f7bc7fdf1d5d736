"""The physical model: coarse physical fields in, fine physical fields out, nothing beside it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from app.arrays import Array, Json, Tensor
from app.errors import InputError
from app.models.block_means import block_mean
from app.models.constraint import BlockConstraint
from app.models.draws import from_distribution, from_network, network_draws, sample_seeds
from app.models.fitted import PLAIN, Batch, Drawing, FittedModel, as_numbers, zero_missing
from app.models.layers.common import register
from app.models.layers.frames import fold, unfold
from app.models.layers.gaps import MEAN, filled
from app.models.layers.resize import Resize
from app.models.output import output_of
from app.models.spec import ModelArrays, ModelSpec


@register
class PhysicalModel(FittedModel):
    """A network in encoded space, wrapped so that it maps physical fields to physical fields.

    Arguments:
        spec: channels, geometry and names.
        arrays: scaling, statics and mask.
        network: see `build_network`; its output is float32.
        first_guess: a layer of guesses, physical or `encoded`, which the network corrects; or None.

    Input {"coarse": `(B, h, w, Cin)`, "time": `(B, 8)`}, output `(B, H, W, C)`, both physical
    and on the padded grids; with the spec's quantiles `(B, Q, H, W, C)`. Where the spec has a time
    window of T frames, all of them carry a time axis, `(B, T, …)`, and every frame is predicted.
    """

    task = "space"
    spec_type = ModelSpec
    arrays_type = ModelArrays

    def __init__(
        self,
        spec: ModelSpec,
        arrays: ModelArrays,
        network: keras.Model,
        first_guess: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(spec, arrays, network, **kwargs)
        self.output_kind = output_of(spec.quantiles, spec.amounts)
        self.first_guess = first_guess
        scaling = arrays.input_offset, arrays.input_scale
        self.input_codec = self._codec("input_codec", spec.inputs, *scaling)
        scaling = arrays.output_offset, arrays.output_scale
        self.output_codec = self._codec("output_codec", spec.outputs, *scaling)
        self._constants(arrays, "static", "static_offset", "static_scale", "mask")
        self.resize = None
        if spec.interpolation:
            self.resize = Resize(spec.interpolation, scale=spec.scale, dtype="float32")
        self.constraint = _constraint(spec, arrays)
        if spec.scaled_correction:
            self.share = self._constant("share", np.ones(len(spec.outputs)))
        self.noise = keras.random.SeedGenerator(name="input_noise") if spec.input_noise else None

    def get_config(self) -> Json:
        guess = self.first_guess
        told = guess and keras.saving.serialize_keras_object(guess)
        return {**super().get_config(), "first_guess": told}

    @classmethod
    def _own_arguments(cls, config: Json, custom_objects: Any) -> Json:
        guess = config["first_guess"]
        found = guess and keras.saving.deserialize_keras_object(guess, custom_objects)
        return {"first_guess": found}

    @property
    def tied_to_grid(self) -> bool:
        """Whether weights belong to grid points, so that it serves its whole grid only."""
        localized = None not in self.network.inputs[0].shape[-3:-1]
        return localized or (self.first_guess is not None and self.first_guess.tied_to_grid)

    def call(self, inputs: Batch, training: bool = False) -> Tensor:
        return self.constrain(inputs, self.unconstrained(inputs, training=training))

    def encoded(self, batch: Batch, training: bool = False, share: Tensor | None = None) -> Tensor:
        """The code of the prediction, the constraint included; its shape is that of the output.

        Patches are to come with their own "static" and, under a constraint, "origin". `share` (C,)
        of the network's correction takes the place of the model's own.
        """
        y = self.unconstrained(batch, training=training, share=share)
        if self.constraint is None:
            return y
        return self.output_codec.encode(self.constrain(batch, y))

    def unconstrained(
        self, batch: Batch, training: bool = False, share: Tensor | None = None
    ) -> Tensor:
        """The code of network and first guess, `(B, H, W, C)` or as the output's parameters are.

        In training the whole correction counts; `share` is as for `encoded`.
        """
        y = self.network(self.network_inputs(batch, training), training=training)
        if self.share is not None and not training:
            y = y * (self.share if share is None else share)
        y = self._combined(y, self.guess(batch["coarse"], batch.get("time")))
        if not self.spec.lower_bounds:
            return y
        floor = self.output_codec.encode(ops.array(self.spec.lower_bounds, "float32"))
        return floor + ops.softplus(y - floor)

    def network_inputs(self, batch: Batch, training: bool) -> Json:
        """What the network takes of a batch as it is for `encoded`; noisy in training."""
        names = ("coarse", "static", "time", "observed")
        return self.encode_inputs(*(batch.get(name) for name in names), noisy=training)

    def _combined(self, y: Tensor, guess: Tensor | None) -> Tensor:
        frames = self.spec.time_window
        if frames is None:
            return self.output_kind.combine(y, guess)
        folded = None if guess is None else fold(guess)
        return unfold(self.output_kind.combine(fold(y), folded), frames)

    def constrain(self, batch: Batch, y: Tensor) -> Tensor:
        """The physical prediction of an encoded field: its valid range first, then its means."""
        fine = self.decode(y)
        if self.constraint is None:
            return fine
        inputs = {"fine": fine, "encoded": y, "coarse": batch["coarse"]}
        frames = self.spec.time_window
        if frames is not None:
            inputs = {name: fold(fields) for name, fields in inputs.items()}
        if "origin" in batch:
            inputs["origin"] = ops.repeat(batch["origin"], frames or 1, axis=0)
        held = self.constraint(inputs)
        return held if frames is None else unfold(held, frames)

    def encode_inputs(
        self,
        coarse: Tensor,
        static: Tensor | None = None,
        time: Tensor | None = None,
        observed: Tensor | None = None,
        *,
        noisy: bool = False,
    ) -> Json:
        """The network's inputs from physical coarse fields `(B, h, w, Cin)`.

        Missing values become what the spec's `gaps` say. `static` `(B, H, W, S)` is needed for
        patches only, in the units of the static array; None takes the model's own, whole field.
        `time` `(B, 8)` is needed where the spec has time features. `observed` `(B, H, W, C)` are
        physical values of the outputs, NaN where there is none; None is none at all. `noisy` adds
        the spec's input noise to the coarse fields, and to nothing else.
        """
        encoded = self._encode_coarse(coarse, time, self.resize, noisy)
        if not self.spec.n_static:
            return {"coarse": encoded}
        fine = self._encode_fine(static, observed, ops.shape(coarse)[0])
        if self.spec.time_window is None:  # windows know the statics by the auxiliary branch alone
            encoded = self._with_static(encoded, fine, self.resize is not None)
        return {"coarse": encoded, "static": zero_missing(fine)}

    def condition(self, batch: Batch) -> Tensor:
        """What the network is told, on the coarse grid whatever its upsampling: `(B, h, w, …)`.

        Inputs, time and statics; the frames of windows are folded into the batch, which is as for
        `encoded`.
        """
        told = self._encode_coarse(batch["coarse"], batch.get("time"), resize=None, noisy=False)
        if self.spec.n_static:
            fine = self._encode_fine(
                batch.get("static"), batch.get("observed"), ops.shape(batch["coarse"])[0]
            )
            told = self._with_static(told, fine, on_fine_grid=False)
        return told if self.spec.time_window is None else fold(told)

    def _encode_coarse(
        self, coarse: Tensor, time: Tensor | None, resize: Resize | None, noisy: bool
    ) -> Tensor:
        encoded = filled(self.input_codec.encode(coarse), self.spec.gaps)
        if noisy and self.noise is not None:
            deviation = self.spec.input_noise
            encoded += keras.random.normal(ops.shape(encoded), 0.0, deviation, seed=self.noise)
        frames = self.spec.time_window
        if resize is not None:
            encoded = resize(encoded) if frames is None else unfold(resize(fold(encoded)), frames)
        return self._with_time(encoded, time)

    def encode_targets(self, hr: Tensor) -> Tensor:
        """Encoded targets of physical ones `(B, H, W, C)`; NaN stays NaN."""
        return self.output_kind.encode(hr, self.output_codec)

    def decode(self, y: Tensor) -> Tensor:
        """Physical fields of encoded ones, within valid_min and valid_max."""
        return self.output_kind.decode(y, self.output_codec)

    def guess(self, coarse: Tensor, time: Tensor) -> Tensor | None:
        """The encoded first guess `(B, H, W, C)`, 0 where there is none to be had; or None."""
        if self.first_guess is None:
            return None
        frames = self.spec.time_window
        if frames is not None:
            return unfold(self._guess(fold(coarse), None if time is None else fold(time)), frames)
        return self._guess(coarse, time)

    def _guess(self, coarse: Tensor, time: Tensor) -> Tensor:
        assert self.first_guess is not None
        if self.first_guess.encoded:
            return self.first_guess({"coarse": self.input_codec.encode(coarse), "time": time})
        physical = self.first_guess({"coarse": coarse, "time": time})
        return filled(self.output_codec.encode(self.output_codec.clip(physical)), self.spec.gaps)

    def on_grid(self, spec: ModelSpec, arrays: ModelArrays) -> PhysicalModel:
        """The same network and first guess on another grid."""
        return PhysicalModel(spec, arrays, self.network, self.first_guess)

    def predict_fields(
        self, batch: Batch, seed: int = 0, members: int = 1, how: Drawing = PLAIN
    ) -> Array:
        """Physical fields `(members, B, y, x, C)` on the unpadded fine grid, float32.

        The spec's quantiles, where there are any, stand in the place of the members. NaN where no
        training target was ever valid. Members differ where the network draws at inference (Monte
        Carlo dropout); the same seed gives the same fields, those of a time stamp in "seconds"
        `(B,)` whatever stands beside it in the batch. The network's own random state is left as it
        was.
        """
        return self.finished(self.draw(whole_fields(batch), seed, members, how))

    def draw(self, batch: Batch, seed: int, members: int, how: Drawing = PLAIN) -> Array:
        """Physical fields `(members, B, H, W, C)`, padding and all, of any part of the domain.

        The batch is as `encoded` takes it: with "static" and "origin" where it is a part; and with
        "seconds" `(B,)`, the time stamps, without which samples are told by their rows. Several
        fields of each predictand, its quantiles, stand in the place of the members.
        """
        layers = self.output_kind.layers
        if members > 1 and layers > 1:
            raise InputError(
                f"--members={members}: the model predicts {layers} quantiles; expected 1 member"
            )
        inputs = as_numbers(batch)
        quantiles, seeds = self.output_kind.quantiles, sample_seeds(batch, seed)
        if quantiles is not None and (members > 1 or how.levels):
            parameters = ops.convert_to_numpy(self.encoded(inputs))
            drawn = from_distribution(quantiles, parameters, seeds, members, how.levels)
            result: Array = ops.convert_to_numpy(self.output_codec.clip(drawn))
            return result
        if not self.draws:
            fields = [self.predict_on_batch(inputs)] * members
        else:
            fields = from_network(self.predict_on_batch, self.network, inputs, seeds, members)
        return np.stack(fields) if layers == 1 else np.moveaxis(fields[0], -4, 0)

    @property
    def thresholds(self) -> tuple[float, ...]:
        return getattr(self.output_kind, "scaled_thresholds", ())

    @property
    def draws(self) -> bool:
        """Whether two passes of the network over the same inputs differ."""
        return network_draws(self.network)

    def finished(self, fields: Array) -> Array:
        """Whole fields `(members, …, H, W, C)` masked and cropped to the fine grid."""
        whole = np.where(ops.convert_to_numpy(self.mask) > 0, fields, np.float32(np.nan))
        top, bottom, left, right = self.spec.pad
        height, width = whole.shape[-3:-1]
        return whole[..., top : height - bottom, left : width - right, :]

    def _with_time(self, encoded: Tensor, time: Tensor | None) -> Tensor:
        """The chosen features `(B, 8)`, of each frame, as further channels of every cell."""
        channels = self.spec.time_channels
        if not channels:
            return encoded
        waves = ops.take(time, np.array(channels), axis=-1)[..., None, None, :]
        shape = (*ops.shape(encoded)[:-1], len(channels))
        return ops.concatenate([encoded, ops.broadcast_to(waves, shape)], axis=-1)

    def _with_static(self, encoded: Tensor, fine: Tensor, on_fine_grid: bool) -> Tensor:
        """Encoded statics `(B or 1, H, W, S)` as further channels, the same in every frame."""
        beside = zero_missing(fine if on_fine_grid else block_mean(fine, self.spec.scale))
        if self.spec.time_window is not None:
            beside = beside[:, None]
        shape = (*ops.shape(encoded)[:-1], self.spec.n_static)
        return ops.concatenate([encoded, ops.broadcast_to(beside, shape)], axis=-1)

    def _encode_fine(self, static: Tensor | None, observed: Tensor | None, count: Tensor) -> Tensor:
        """What is told on the fine grid, `(count or 1, H, W, n_static)`, NaN where unknown."""
        static = self.static[None] if static is None else ops.cast(static, "float32")
        static = self._standardised(static)
        if self.spec.gaps != MEAN:
            static = filled(static, self.spec.gaps)
        if not self.spec.observed:
            return static
        if observed is None:
            values = ops.full((*ops.shape(static)[:3], len(self.spec.outputs)), np.nan)
        else:
            values = self.output_codec.encode(observed)
            static = ops.broadcast_to(static, (count, *ops.shape(static)[1:]))
        known = ops.cast(ops.logical_not(ops.isnan(values)), "float32")
        return ops.concatenate([static, values, known], axis=-1)


def _constraint(spec: ModelSpec, arrays: ModelArrays) -> BlockConstraint | None:
    if spec.constraint == "none":
        return None
    layer = BlockConstraint(spec.constraint, spec.scale, spec.twins, arrays.mask.shape)
    assert arrays.areas is not None  # filled in when the arrays were made
    layer.fit(arrays.areas, arrays.mask)
    return layer


def whole_fields(batch: Batch) -> Batch:
    """The parts of a batch of whole fields that a prediction is made from."""
    names = ("coarse", "time", "seconds", "observed")
    return {name: batch[name] for name in names if name in batch}
