"""The noise process: which levels there are, and what the network sees and answers at each.

Everything is written for z + σn, the clean field z of unit variance plus noise of standard
deviation σ ("variance exploding"). The variance-preserving field of DDPM is the same divided by
sqrt(1 + σ²), with ᾱ = 1 / (1 + σ²), so that one family of samplers serves all formulations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from app.arrays import Array
from app.options import DiffusionConfig

STEPS = 1000  # T of the discrete schedules
LINEAR_BETAS = (1e-4, 0.02)
COSINE_OFFSET = 0.008
MAX_BETA = 0.999
GRID_EXPONENT = 7.0  # ρ of the sampling levels
LOG_SHARE = 0.25  # of log σ that the network is told


@dataclass(frozen=True, eq=False)
class Coefficients:
    """At each level (B,): D = skip · x + out · F(scale · x, level), and the loss's weight.

    `weight` multiplies the squared error of F against (z - skip · x) / out.
    """

    skip: Array
    out: Array
    scale: Array
    level: Array
    weight: Array


@dataclass(frozen=True)
class Process:
    """Formulation and noise levels; z has unit variance.

    Arguments:
        formulation: "edm", or the network's answer under DDPM: "epsilon", "x0", "v".
        schedule: "linear" or "cosine", of DDPM's T = 1000 levels.
        log_mean, log_std: of the normal distribution of log σ in training (edm).
        sigma_min, sigma_max: ends of the sampling levels (edm).
        min_snr: γ that bounds the weight of the error of z by min(SNR, γ); 0 for none.

    References: Ho et al. 2020, arXiv:2006.11239; Nichol and Dhariwal 2021, arXiv:2102.09672;
    Salimans and Ho 2022, arXiv:2202.00512; Karras et al. 2022, arXiv:2206.00364, with
    σ_data = 1; Hang et al. 2023, arXiv:2303.09556.
    """

    formulation: str = DiffusionConfig.formulation
    schedule: str = DiffusionConfig.noise_schedule
    log_mean: float = DiffusionConfig.noise_log_mean
    log_std: float = DiffusionConfig.noise_log_std
    sigma_min: float = DiffusionConfig.sigma_min
    sigma_max: float = DiffusionConfig.sigma_max
    min_snr: float = DiffusionConfig.min_snr

    @property
    def discrete(self) -> bool:
        return self.formulation != "edm"

    @cached_property
    def alphas_bar(self) -> Array:
        """(T,) share of variance that is signal at each of DDPM's levels, falling."""
        if self.schedule == "linear":
            return np.cumprod(1.0 - np.linspace(*LINEAR_BETAS, STEPS))
        t = np.arange(STEPS + 1) / STEPS
        wave = np.cos((t + COSINE_OFFSET) / (1 + COSINE_OFFSET) * np.pi / 2) ** 2
        betas = np.minimum(1.0 - wave[1:] / wave[:-1], MAX_BETA)
        return np.cumprod(1.0 - betas)

    @cached_property
    def sigmas(self) -> Array:
        """(T,) the same levels as σ, rising."""
        result: Array = np.sqrt((1.0 - self.alphas_bar) / self.alphas_bar)
        return result

    def draw(self, generator: np.random.Generator) -> float:
        """The level σ of one training sample."""
        if self.discrete:
            return float(self.sigmas[generator.integers(STEPS)])
        return float(np.exp(self.log_mean + self.log_std * generator.standard_normal()))

    def grid(self, steps: int) -> Array:
        """(steps + 1,) sampling levels, falling to 0.

        Those of DDPM are evenly spaced in t; those of EDM in σ^(1/ρ).
        """
        if self.discrete:
            times = np.round(np.linspace(STEPS - 1, 0, steps)).astype(int)
            return np.append(self.sigmas[times], 0.0)
        ends = self.sigma_max ** (1 / GRID_EXPONENT), self.sigma_min ** (1 / GRID_EXPONENT)
        return np.append(np.linspace(*ends, steps) ** GRID_EXPONENT, 0.0)

    def coefficients(self, sigma: Array) -> Coefficients:
        """Preconditioning and loss weight at levels σ (B,)."""
        sigma = np.asarray(sigma, np.float64)
        variance = 1.0 + sigma**2
        scale = 1.0 / np.sqrt(variance)
        skip, out = {
            "edm": (1.0 / variance, sigma * scale),
            "v": (1.0 / variance, -sigma * scale),
            "epsilon": (np.ones_like(sigma), -sigma),
            "x0": (np.zeros_like(sigma), np.ones_like(sigma)),
        }[self.formulation]
        weight = np.ones_like(sigma)
        if self.min_snr:
            weight = np.minimum(sigma**-2, self.min_snr) * out**2
        return Coefficients(skip, out, scale, self._told(sigma), weight)

    def _told(self, sigma: Array) -> Array:
        """The level as the network is told it: t / T, or log σ / 4."""
        if not self.discrete:
            return LOG_SHARE * np.log(sigma)
        return np.interp(np.log(sigma), np.log(self.sigmas), np.arange(STEPS) / STEPS)
