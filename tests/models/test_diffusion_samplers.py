"""Samplers on Gaussian data, where the denoiser is known and every step is affine."""

from collections.abc import Callable

import numpy as np
import pytest

from app.models.diffusion.process import Process
from app.models.diffusion.samplers import SamplingOptions, ddim, dpmpp_2m, heun, sample

MEAN, SPREAD = 0.4, 1.3  # of the data
HIGH, LOW = 20.0, 0.05  # levels between which the orders are measured

Sampler = Callable[[np.ndarray, np.ndarray], np.ndarray]


def denoise(x: np.ndarray, sigma: float) -> np.ndarray:
    """E[z | z + σn = x] of data N(MEAN, SPREAD²)."""
    return MEAN + SPREAD**2 / (SPREAD**2 + sigma**2) * (x - MEAN)


def exact(x: np.ndarray, first: float, last: float) -> np.ndarray:
    """Where the probability flow dx/dσ = (x - D) / σ takes x."""
    return MEAN + (x - MEAN) * np.sqrt((SPREAD**2 + last**2) / (SPREAD**2 + first**2))


def never() -> np.ndarray:
    raise AssertionError("a deterministic sampler asked for noise")


DETERMINISTIC: dict[str, tuple[int, Sampler]] = {
    "heun": (2, lambda x, levels: heun(denoise, x, levels)),
    "dpmpp_2m": (2, lambda x, levels: dpmpp_2m(denoise, x, levels)),
    "ddim": (1, lambda x, levels: ddim(denoise, x, levels, never)),
}


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_order_of_convergence(name: str) -> None:
    """Halving the steps divides the error by 2^order; the map is affine, so two points tell all."""
    order, sampler = DETERMINISTIC[name]
    x = np.array([-30.0, 25.0])
    errors = []
    for steps in (80, 160, 320):
        levels = np.geomspace(HIGH, LOW, steps + 1)
        errors.append(np.abs(sampler(x, levels) - exact(x, HIGH, LOW)).max())
    rates = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(rates, order, atol=0.12)


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_mean_and_variance_on_the_levels_used_in_earnest(name: str) -> None:
    """From N(0, σ_max²) to the data's mean and variance, propagated through the affine map."""
    _, sampler = DETERMINISTIC[name]
    levels = Process("edm", sigma_min=0.002, sigma_max=80.0).grid(40)
    offset, one = sampler(np.array([0.0, 1.0]), levels)
    assert offset == pytest.approx(MEAN, abs=0.03)
    tolerance = 0.1 if name == "ddim" else 0.01
    assert (one - offset) * levels[0] == pytest.approx(SPREAD, rel=tolerance)


def ancestral_moments(levels: np.ndarray, eta: float) -> tuple[float, float]:
    """Mean and standard deviation at the end, from the response to each unit of noise."""
    count = len(levels)
    probes = np.eye(count + 1)  # nothing, the start, then each fresh noise
    drawn = iter(range(1, count))

    def noise() -> np.ndarray:
        return probes[1 + next(drawn)]

    start = levels[0] * probes[1]
    response = ddim(denoise, start, levels, noise, eta)
    mean = response[0]
    return mean, float(np.sqrt(np.sum((response[1:] - mean) ** 2)))


@pytest.mark.parametrize("eta", [1.0, 0.5])
def test_ancestral_sampling_converges_to_the_variance(eta: float) -> None:
    errors = []
    for steps in (50, 100, 200):
        mean, spread = ancestral_moments(np.append(np.geomspace(80, 0.002, steps), 0.0), eta)
        assert mean == pytest.approx(MEAN, abs=0.05)
        errors.append(abs(spread - SPREAD))
    assert errors[2] < 0.03 * SPREAD
    assert errors[2] < 0.6 * errors[1] < 0.36 * errors[0]


def test_ancestral_step_has_the_posterior_of_ddpm() -> None:
    """Ho et al. (2020), equations 6 and 7, in their own variables."""
    process = Process("epsilon")
    t = 300
    kept, kept_before = process.alphas_bar[t], process.alphas_bar[t - 1]
    beta = 1 - kept / kept_before
    levels = process.sigmas[[t, t - 1]]
    z, noisy = 0.8, -1.1  # x0 and x_t
    mean = (
        np.sqrt(kept_before) * beta / (1 - kept) * z
        + np.sqrt(1 - beta) * (1 - kept_before) / (1 - kept) * noisy
    )
    deviation = np.sqrt((1 - kept_before) / (1 - kept) * beta)
    for drawn in (0.0, 1.0):
        x = ddim(
            lambda x, sigma: np.array(z),
            np.array(noisy / np.sqrt(kept)),
            levels,
            lambda drawn=drawn: np.array(drawn),
            eta=1.0,
        )
        assert np.sqrt(kept_before) * x == pytest.approx(mean + drawn * deviation)


@pytest.mark.parametrize(("name", "evaluations"), [("heun", 11), ("dpmpp_2m", 6), ("ddpm", 6)])
def test_evaluations_and_the_last_level(name: str, evaluations: int) -> None:
    calls = []

    def counted(x: np.ndarray, sigma: float) -> np.ndarray:
        calls.append(sigma)
        return denoise(x, sigma)

    levels = Process("edm").grid(6)
    options = SamplingOptions(name, steps=6)
    x = sample(options, counted, np.array([3.0]), levels, lambda: np.array([0.1]))
    assert len(calls) == evaluations
    assert min(calls) > 0
    assert x == pytest.approx(MEAN, abs=6)


def test_eta_zero_is_deterministic_ddim_and_one_is_ddpm() -> None:
    levels, x = Process("v").grid(5), np.array([2.0])

    def drawn(name: str, eta: float) -> np.ndarray:
        options = SamplingOptions(name, eta=eta)
        return sample(options, denoise, x, levels, lambda: np.array([0.3]))

    np.testing.assert_array_equal(drawn("ddim", 0.0), ddim(denoise, x, levels, never))
    np.testing.assert_array_equal(drawn("ddim", 1.0), drawn("ddpm", 0.0))
    assert drawn("ddim", 0.0) != drawn("ddpm", 0.0)
