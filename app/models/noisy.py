"""The physical model that turns noise into members, one pass each."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from app.arrays import Array, Json
from app.models.diffusion.model import NoiseWindow
from app.models.diffusion.noise import MemberNoise
from app.models.fitted import PLAIN, Batch, Drawing, as_numbers
from app.models.layers.common import register
from app.models.physical import PhysicalModel
from app.models.spec import ModelArrays, ModelSpec


@register
class NoisyModel(PhysicalModel):
    """Members of the fine field given the coarse one: the network's answers to different noise.

    Its network takes "noise" `(B, H, W, noise_channels)` beside the other inputs, standard normal
    values, which are multiplied by `spread` but for training; without any in the batch it sees
    zeros. A member's noise is keyed by seed, time stamp and member, so that neither batch size nor
    ranks nor tiles matter.

    Arguments: as for `PhysicalModel`; noise_channels; time_step: of the training data, seconds, 0
    where there is none.
    """

    def __init__(
        self,
        spec: ModelSpec,
        arrays: ModelArrays,
        network: keras.Model,
        first_guess: keras.layers.Layer | None = None,
        *,
        noise_channels: int,
        time_step: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(spec, arrays, network, first_guess, **kwargs)
        self.noise_channels, self.time_step = noise_channels, time_step
        self.spread = self._constant("spread", np.ones(()))

    def get_config(self) -> Json:
        own = {"noise_channels": self.noise_channels, "time_step": self.time_step}
        return {**super().get_config(), **own}

    @classmethod
    def _own_arguments(cls, config: Json, custom_objects: Any) -> Json:
        own = {name: config[name] for name in ("noise_channels", "time_step")}
        return {**super()._own_arguments(config, custom_objects), **own}

    def on_grid(self, spec: ModelSpec, arrays: ModelArrays) -> NoisyModel:
        model = NoisyModel(
            spec,
            arrays,
            self.network,
            self.first_guess,
            noise_channels=self.noise_channels,
            time_step=self.time_step,
        )
        model.spread.assign(self.spread)
        return model

    def network_inputs(self, batch: Batch, training: bool) -> Json:
        inputs = super().network_inputs(batch, training)
        noise = batch.get("noise")
        if noise is None:
            count, height, width = ops.shape(batch["coarse"])[:3]
            shape = (count, height * self.spec.scale, width * self.spec.scale)
            return {**inputs, "noise": ops.zeros((*shape, self.noise_channels))}
        return {**inputs, "noise": noise if training else self.spread * noise}

    def draw(self, batch: Batch, seed: int, members: int, how: Drawing = PLAIN) -> Array:
        """Physical fields `(members, B, H, W, C)`, padding and all, of any part of the domain.

        "seconds" `(B,)` in the batch are the time stamps that key the noise; without them the
        samples' positions do.
        """
        seconds = np.asarray(batch.get("seconds", np.arange(len(batch["coarse"]))))
        window, inputs, drawn = NoiseWindow.of(self, batch), as_numbers(batch), []
        for member in range(members):
            how.check()
            noise = MemberNoise(
                (*self.shapes["mask"][:2], self.noise_channels),
                seconds,
                seed,
                member,
                correlation=how.sampling.noise_correlation if how.sampling else 0.0,
                time_step=self.time_step,
            )
            drawn.append(self.predict_on_batch({**inputs, "noise": window.cut(noise())}))
        return np.stack(drawn)

    @property
    def draws(self) -> bool:
        return True
