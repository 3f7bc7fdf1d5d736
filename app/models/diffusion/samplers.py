"""Samplers: from noise to a field, given a denoiser; plain NumPy, whatever denoises.

All work on x = z + σn over falling levels. `denoise(x, sigma)` estimates z; `noise()` gives fresh
standard normal fields shaped like x. The last level may be 0, where x is what was denoised last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from app.arrays import Array
from app.options import InferenceConfig

Denoise = Callable[[Array, float], Array]
Noise = Callable[[], Array]


@dataclass(frozen=True)
class SamplingOptions:
    """How members are drawn.

    sampler: a registered name. steps: levels above 0. eta: of ddim, 0 deterministic to 1 as ddpm.
    noise_correlation: of the noise of neighbouring time steps.
    """

    sampler: str = InferenceConfig.sampler
    steps: int = InferenceConfig.sampling_steps
    eta: float = InferenceConfig.ddim_eta
    noise_correlation: float = InferenceConfig.noise_lag1_correlation

    @classmethod
    def of(cls, inference: InferenceConfig) -> SamplingOptions:
        """The options that the flags ask for."""
        return cls(
            sampler=inference.sampler,
            steps=inference.sampling_steps,
            eta=inference.ddim_eta,
            noise_correlation=inference.noise_lag1_correlation,
        )


def sample(
    options: SamplingOptions,
    denoise: Denoise,
    x: Array,
    sigmas: Array,
    noise: Noise,
) -> Array:
    """The field at the last of the levels (n + 1,) from x at the first one."""
    if options.sampler == "heun":
        return heun(denoise, x, sigmas)
    if options.sampler == "dpmpp_2m":
        return dpmpp_2m(denoise, x, sigmas)
    eta = 1.0 if options.sampler == "ddpm" else options.eta
    return ddim(denoise, x, sigmas, noise, eta)


def ddim(denoise: Denoise, x: Array, sigmas: Array, noise: Noise, eta: float = 0.0) -> Array:
    """DDIM; with η = 1 DDPM's ancestral sampling with the variance of the posterior.

    A step to σ' keeps sqrt(σ'² - s²) / σ of the distance from the denoised field and adds sn, with
    s = η (σ' / σ) sqrt(σ² - σ'²). Reference: Song et al. 2020, arXiv:2010.02502.
    """
    for now, after in pairwise(sigmas):
        z = denoise(x, now)
        fresh = eta * after / now * np.sqrt(now**2 - after**2)
        x = z + np.sqrt(after**2 - fresh**2) / now * (x - z)
        if fresh > 0:
            x = x + fresh * noise()
    return x


def heun(denoise: Denoise, x: Array, sigmas: Array) -> Array:
    """Heun's second-order steps of dx/dσ = (x - D) / σ; two denoisings each, one into σ = 0.

    Reference: Karras et al. 2022, arXiv:2206.00364, algorithm 1.
    """
    for now, after in pairwise(sigmas):
        slope = (x - denoise(x, now)) / now
        ahead = x + (after - now) * slope
        if after > 0:
            slope = (slope + (ahead - denoise(ahead, after)) / after) / 2
            ahead = x + (after - now) * slope
        x = ahead
    return x


def dpmpp_2m(denoise: Denoise, x: Array, sigmas: Array) -> Array:
    """DPM-Solver++(2M): exact in the linear part, D extrapolated in -log σ from the step before.

    One denoising a step; the first step and that into σ = 0 are of first order.
    Reference: Lu et al. 2022, arXiv:2211.01095.
    """
    before: Array | None = None
    step_before = 0.0
    for now, after in pairwise(sigmas):
        z = denoise(x, now)
        if after == 0:
            return z
        step = np.log(now / after)
        used = z
        if before is not None:
            used = z + step / (2 * step_before) * (z - before)
        x = after / now * x + (1.0 - after / now) * used
        before, step_before = z, step
    return x
