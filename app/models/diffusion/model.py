"""The physical model that draws its fields by denoising."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import keras
import numpy as np
from absl import logging
from keras import ops

from app.arrays import Array, Json, Tensor
from app.data.times import TIME_FEATURES
from app.models.diffusion.noise import MemberNoise, keyed_generator
from app.models.diffusion.process import Process
from app.models.diffusion.samplers import SamplingOptions, sample
from app.models.diffusion.unet import TIME_CLASSES
from app.models.fitted import PLAIN, Batch, Drawing
from app.models.layers.common import register
from app.models.physical import PhysicalModel
from app.models.spec import ModelArrays, ModelSpec
from app.running.progress import LINE_EVERY

LEAST_SPREAD = 1e-6  # encoded: a constant sample is not divided by less
BOUNDED_ABOVE = 1.0  # σ; there more of x is noise than field, and z is kept within its range


@dataclass(frozen=True)
class DiffusionSettings:
    """Everything about a diffusion model that is neither network nor array.

    residual: the target is what the first guess leaves. instance_norm: targets are scaled by the
    mean and standard deviation of each sample's first guess. classes: of time, as embeddings.
    time_step: of the training data, seconds; 0 where there is none. sampling: how members are
    drawn where nothing else is said.
    """

    process: Process = field(default_factory=Process)
    residual: bool = True
    instance_norm: bool = False
    classes: tuple[str, ...] = ()
    time_step: int = 0
    sampling: SamplingOptions = field(default_factory=SamplingOptions)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> DiffusionSettings:
        plain = dict(stored)
        plain["process"] = Process(**plain["process"])
        plain["sampling"] = SamplingOptions(**plain["sampling"])
        plain["classes"] = tuple(plain["classes"])
        return cls(**plain)


@dataclass(frozen=True, eq=False)
class Conditioning:
    """What is known of a batch before any noise: encoded fields `(B, H, W, ...)`.

    A target z becomes the encoded field base + size · z.
    """

    inputs: dict[str, Tensor]
    base: Tensor
    size: Tensor


@register
class DiffusionModel(PhysicalModel):
    """Samples of the fine field given the coarse one.

    The network works on z = (encoded field - base) / size, of mean 0 and variance 1 over the
    training period: base is the first guess (residuals), the sample's mean (instance norm) or 0,
    plus `target_offset`; size is `target_scale`, times the sample's standard deviation with
    instance norm. It sees the coarse inputs interpolated to the fine grid, the first guess,
    statics and time. Where noise prevails its estimates of z are kept within `target_range`, that
    of the training period: 1/√ᾱ multiplies what a network that predicts the noise misses.

    Called as a model it gives the denoised field of the largest noise level: an estimate of the
    mean. `predict_fields` draws members; their noise is keyed by seed, time stamp and member, so
    that neither batch size nor ranks nor order matter.

    Arguments: as for `PhysicalModel`; settings; target_shape, (C,) or (H, W, C).
    """

    def __init__(
        self,
        spec: ModelSpec,
        arrays: ModelArrays,
        network: keras.Model,
        first_guess: keras.layers.Layer | None = None,
        *,
        settings: DiffusionSettings,
        target_shape: tuple[int, ...],
        **kwargs: Any,
    ) -> None:
        super().__init__(spec, arrays, network, first_guess, **kwargs)
        self.settings = settings
        self.target_shape = tuple(target_shape)
        self.target_offset = self._constant("target_offset", np.zeros(self.target_shape))
        self.target_scale = self._constant("target_scale", np.ones(self.target_shape))
        unbounded = np.multiply.outer([-np.inf, np.inf], np.ones(self.target_shape[-1]))
        self.target_range = self._constant("target_range", unbounded)
        network.jit_compile = False  # as for the model around it

    def get_config(self) -> Json:
        own = {"settings": asdict(self.settings), "target_shape": list(self.target_shape)}
        return {**super().get_config(), **own}

    @classmethod
    def _own_arguments(cls, config: Json, custom_objects: Any) -> Json:
        return {
            **super()._own_arguments(config, custom_objects),
            "settings": DiffusionSettings.from_dict(config["settings"]),
            "target_shape": tuple(config["target_shape"]),
        }

    @property
    def tied_to_grid(self) -> bool:
        return super().tied_to_grid or len(self.target_shape) > 1

    def fit_target(self, offset: Array, scale: Array, bounds: Array | None = None) -> None:
        """Set what makes the targets' mean 0 and their variance 1, and their range (2, C) then."""
        self.target_offset.assign(offset)
        self.target_scale.assign(scale)
        if bounds is not None:
            self.target_range.assign(bounds)

    def on_grid(self, spec: ModelSpec, arrays: ModelArrays) -> DiffusionModel:
        model = DiffusionModel(
            spec,
            arrays,
            self.network,
            self.first_guess,
            settings=self.settings,
            target_shape=self.target_shape,
        )
        fitted = (self.target_offset, self.target_scale, self.target_range)
        model.fit_target(*(ops.convert_to_numpy(variable) for variable in fitted))
        return model

    def target_affine(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """First guess (or None), base and size before `target_offset` and `target_scale`.

        The batch may bring its own encoded "guess".
        """
        guess = batch.get("guess")
        if guess is None:
            guess = self.guess(batch["coarse"], batch.get("time"))
        base, size = ops.zeros((1, 1, 1, 1)), ops.ones((1, 1, 1, 1))
        if self.settings.instance_norm:
            base = ops.mean(guess, axis=(1, 2), keepdims=True)
            size = ops.maximum(ops.std(guess, axis=(1, 2), keepdims=True), LEAST_SPREAD)
        if self.settings.residual:
            base = guess
        return guess, base, size

    def conditioning(self, batch: Batch, noisy: bool = False) -> Conditioning:
        """The network's inputs but noise and level, and the target's frame.

        `noisy` adds the spec's input noise to the coarse fields, not to the first guess.
        """
        guess, base, size = self.target_affine(batch)
        names = ("coarse", "static", "time", "observed")
        fields = self.encode_inputs(*(batch.get(name) for name in names), noisy=noisy)
        parts = [fields["coarse"]]
        if guess is not None:
            parts.append(self._shown(guess, size))
        inputs = {"condition": ops.concatenate(parts, axis=-1)}
        if self.settings.classes:
            inputs["classes"] = time_classes(batch["time"], self.settings.classes)
        return Conditioning(inputs, base + size * self.target_offset, size * self.target_scale)

    def targets(self, batch: Batch, given: Conditioning) -> Tensor:
        """z `(B, H, W, C)` of the true fields in "hr"; NaN stays NaN."""
        return (self.encode_targets(batch["hr"]) - given.base) / given.size

    def answer(
        self,
        inputs: dict[str, Tensor],
        x: Tensor,
        scale: Tensor,
        level: Tensor,
        training: bool = False,
    ) -> Tensor:
        """The network's F for x = z + σn; scale and level `(B,)` as `Process` gives them."""
        noisy = x * ops.cast(scale, "float32")[:, None, None, None]
        given = {**inputs, "noisy": noisy, "level": ops.cast(level, "float32")}
        return self.network(given, training=training)

    def unconstrained(
        self, batch: Batch, training: bool = False, share: Tensor | None = None
    ) -> Tensor:
        given = self.conditioning(batch)
        shape = ops.shape(given.inputs["condition"])
        count = shape[0]
        x = ops.zeros((*shape[:3], len(self.spec.outputs)))
        largest = self.settings.process.coefficients(self.settings.process.grid(1)[:1])
        level = ops.ones((count,)) * float(largest.level[0])
        scale = ops.ones((count,)) * float(largest.scale[0])
        answer = self.answer(given.inputs, x, scale, level, training)
        low, high = self.target_range[0], self.target_range[1]
        z = ops.clip(float(largest.out[0]) * answer, low, high)
        return given.base + given.size * z

    def draw(self, batch: Batch, seed: int, members: int, how: Drawing = PLAIN) -> Array:
        """Physical fields `(members, B, H, W, C)`, padding and all, of any part of the domain.

        "seconds" `(B,)` in the batch are the time stamps that key the noise; without them the
        samples' positions do.
        """
        count = len(batch["coarse"])
        seconds = np.asarray(batch.get("seconds", np.arange(count)))
        fields = {
            name: ops.convert_to_tensor(np.asarray(values, "float32"))
            for name, values in batch.items()
            if name != "seconds"
        }
        given, drawn = self.conditioning(fields), []
        for member in range(members):
            if self.first_guess is not None and self.first_guess.n_fits:
                given = self.conditioning(
                    {**fields, "guess": self._drawn_guess(fields, seed, member)}
                )
            inputs = {name: ops.convert_to_numpy(part) for name, part in given.inputs.items()}
            z = self._member(inputs, NoiseWindow.of(self, batch), seconds, seed, member, how)
            field = self.constrain(fields, given.base + given.size * z)
            drawn.append(ops.convert_to_numpy(field).astype(np.float32))
            logging.log_every_n_seconds(
                logging.INFO,
                "member %d of %d drawn at %d times",
                LINE_EVERY,
                *(member + 1, members, count),
            )
        return np.stack(drawn)

    def _drawn_guess(self, fields: Batch, seed: int, member: int) -> Tensor:
        """A member's own regression, the same at all times."""
        assert self.first_guess is not None
        normal = keyed_generator(seed, member).standard_normal(self.first_guess.n_fits)
        encoded = self.input_codec.encode(fields["coarse"])
        return self.first_guess.drawn({"coarse": encoded, "time": fields["time"]}, normal)

    def _member(
        self,
        inputs: dict[str, Array],
        window: NoiseWindow,
        seconds: Array,
        seed: int,
        member: int,
        how: Drawing,
    ) -> Array:
        """z `(B, H, W, C)` of one member."""
        process, options = self.settings.process, how.sampling or self.settings.sampling
        sigmas = process.grid(options.steps)
        noise = MemberNoise(
            self.shapes["mask"],
            seconds,
            seed,
            member,
            correlation=options.noise_correlation,
            time_step=self.settings.time_step,
        )

        def fresh() -> Array:
            return window.cut(noise())

        def denoise(x: Array, sigma: float) -> Array:
            how.check()
            return self._denoise(inputs, x, sigma) * window.mask

        return sample(options, denoise, sigmas[0] * fresh(), sigmas, fresh)

    def _denoise(self, inputs: dict[str, Array], x: Array, sigma: float) -> Array:
        """The estimate of z from x = z + σn."""
        levels = np.full(len(x), sigma)
        c = self.settings.process.coefficients(levels)
        noisy = (x * c.scale[0]).astype(np.float32)
        level = c.level.astype(np.float32)
        answer = self.network.predict_on_batch({**inputs, "noisy": noisy, "level": level})
        z = c.skip[0] * x + c.out[0] * answer
        if sigma > BOUNDED_ABOVE:
            z = np.clip(z, *ops.convert_to_numpy(self.target_range))
        result: Array = z
        return result

    def _shown(self, guess: Tensor, size: Tensor) -> Tensor:
        """The first guess as the network sees it; with instance norm in the sample's units."""
        if not self.settings.instance_norm:
            return guess
        return (guess - ops.mean(guess, axis=(1, 2), keepdims=True)) / size


class NoiseWindow:
    """Which part of the domain's noise and mask a batch sees."""

    def __init__(self, windows: list[tuple[slice, slice]] | None, mask: Array) -> None:
        self.windows = windows
        self.mask = mask if windows is None else np.stack([mask[window] for window in windows])

    @classmethod
    def of(cls, model: PhysicalModel, batch: Batch) -> NoiseWindow:
        """Where "origin" is given the fields are windows, else whole."""
        mask = np.asarray(ops.convert_to_numpy(model.mask), np.float32)
        if "origin" not in batch:
            return cls(None, mask)
        scale = model.spec.scale
        height, width = (n * scale for n in batch["coarse"].shape[1:3])
        corners = np.asarray(batch["origin"], int) * scale
        return cls([(slice(r, r + height), slice(c, c + width)) for r, c in corners], mask)

    def cut(self, fields: Array) -> Array:
        """Windows of whole fields `(B, H, W, C)`."""
        if self.windows is None:
            return fields
        return np.stack([f[window] for f, window in zip(fields, self.windows, strict=True)])


def time_classes(time: Tensor, names: tuple[str, ...]) -> Tensor:
    """Classes `(B, len(names))` int32, hours and twelfths of the year, of "time" `(B, 8)`."""
    found = []
    for name in names:
        count = TIME_CLASSES[name]
        sine, cosine = TIME_FEATURES[name]
        turn = ops.arctan2(time[:, sine], time[:, cosine]) / (2 * np.pi)
        # A little beyond the class's start, so that rounding does not put it into the one before.
        place = ops.cast(ops.floor(turn * count + count + 1e-3), "int32")
        found.append(ops.mod(place, count))
    return ops.stack(found, axis=-1)


def classes_of(time_features: Sequence[str]) -> tuple[str, ...]:
    """Those of --time_features that there are classes of; a season is one as it is."""
    return tuple(name for name in time_features if name in TIME_CLASSES)
