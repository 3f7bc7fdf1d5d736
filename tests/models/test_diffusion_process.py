"""Noise levels and what the network is told and asked at each, against the papers' formulas."""

import numpy as np
import pytest

from app.models.diffusion.noise import keyed_generator
from app.models.diffusion.process import STEPS, Process

FORMULATIONS = ("edm", "epsilon", "x0", "v")
LEVELS = np.array([0.01, 0.3, 1.0, 7.0])


def test_linear_schedule_is_that_of_ddpm() -> None:
    """β from 1e-4 to 0.02: the signal that is left at the end, and β back from the products."""
    alphas_bar = Process("epsilon", "linear").alphas_bar
    betas = 1 - alphas_bar[1:] / alphas_bar[:-1]
    assert alphas_bar[0] == pytest.approx(1 - 1e-4)
    np.testing.assert_allclose(betas, 1e-4 + (0.02 - 1e-4) * np.arange(1, 1000) / 999, rtol=1e-9)
    assert alphas_bar[-1] == pytest.approx(4.0358e-5, rel=1e-4)


def test_cosine_schedule_follows_the_squared_cosine() -> None:
    alphas_bar = Process("v", "cosine").alphas_bar
    t = np.arange(1, STEPS - 10) / STEPS  # the last steps are bounded by β ≤ 0.999
    wave = np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2 / np.cos(0.008 / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(alphas_bar[: len(t)], wave, rtol=1e-9)
    assert (np.diff(alphas_bar) < 0).all()
    assert alphas_bar[-1] > 0


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_forward_process_keeps_unit_variance(schedule: str) -> None:
    """x_t = (z + σn) / sqrt(1 + σ²) has mean sqrt(ᾱ)·z and variance 1 - ᾱ, by Monte Carlo."""
    process = Process("epsilon", schedule)
    z = 1.7
    for t in (0, 400, 900):
        sigma = process.sigmas[t]
        noise = keyed_generator(5, t).standard_normal(200_000)
        x = (z + sigma * noise) * process.coefficients(np.array([sigma])).scale[0]
        kept = process.alphas_bar[t]
        assert x.mean() == pytest.approx(np.sqrt(kept) * z, abs=4 * np.sqrt((1 - kept) / 2e5))
        assert x.var() == pytest.approx(1 - kept, rel=0.02)


@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_the_wanted_answer_gives_the_clean_field(formulation: str) -> None:
    """With F = noise, field, velocity as DDPM defines them, D is the clean field."""
    rng = np.random.default_rng(0)
    z, noise = rng.normal(size=(2, 5))
    process = Process(formulation)
    for sigma in LEVELS:
        c = process.coefficients(np.array([sigma]))
        kept = 1 / (1 + sigma**2)
        x = z + sigma * noise
        noisy = np.sqrt(kept) * z + np.sqrt(1 - kept) * noise
        np.testing.assert_allclose(c.scale * x, noisy)
        velocity = np.sqrt(kept) * noise - np.sqrt(1 - kept) * z
        answers = {"epsilon": noise, "x0": z, "v": velocity, "edm": -velocity}
        np.testing.assert_allclose(c.skip * x + c.out * answers[formulation], z, atol=1e-9)


@pytest.mark.parametrize("sigma", LEVELS)
def test_preconditioning_identities(sigma: float) -> None:
    """Unit variance of what goes in and of what is wanted, and the least gain of the network."""
    c = Process("edm").coefficients(np.array([sigma]))
    assert c.scale**2 * (1 + sigma**2) == pytest.approx(1)
    wanted = ((1 - c.skip) ** 2 + c.skip**2 * sigma**2) / c.out**2
    assert wanted == pytest.approx(1)
    near = c.skip + np.array([-1e-3, 1e-3])
    assert ((1 - near) ** 2 + near**2 * sigma**2 > c.out**2).all()
    assert c.weight == 1  # λ(σ) = 1 / c_out², which the error of F has in it already
    assert 1 / c.out**2 == pytest.approx((sigma**2 + 1) / sigma**2)
    assert c.level == pytest.approx(np.log(sigma) / 4)


@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_min_snr_bounds_the_weight_of_the_error_of_the_field(formulation: str) -> None:
    """ε: min(SNR, γ)/SNR, x0: min(SNR, γ), v: min(SNR, γ)/(SNR + 1)."""
    gamma = 5.0
    weight = Process(formulation, min_snr=gamma).coefficients(LEVELS).weight
    snr = LEVELS**-2
    bounded = np.minimum(snr, gamma)
    expected = {"epsilon": bounded / snr, "x0": bounded}
    expected |= dict.fromkeys(("v", "edm"), bounded / (snr + 1))
    np.testing.assert_allclose(weight, expected[formulation])


def test_levels_of_training() -> None:
    """Log-normal for EDM, all of the discrete levels alike for DDPM; told as t / T."""
    edm = Process("edm", log_mean=-0.7, log_std=0.9)
    logs = np.log([edm.draw(keyed_generator(1, i)) for i in range(4000)])
    assert logs.mean() == pytest.approx(-0.7, abs=0.05)
    assert logs.std() == pytest.approx(0.9, abs=0.04)
    ddpm = Process("epsilon", "cosine")
    drawn = np.array([ddpm.draw(keyed_generator(2, i)) for i in range(4000)])
    told = ddpm.coefficients(drawn).level
    np.testing.assert_allclose(told * STEPS, np.round(told * STEPS), atol=1e-6)
    assert np.mean(told) == pytest.approx(0.5, abs=0.02)
    assert told.min() < 0.01
    assert told.max() > 0.98


def test_sampling_levels() -> None:
    grid = Process("edm", sigma_min=0.01, sigma_max=50.0).grid(5)
    np.testing.assert_allclose(grid[[0, -2]], [50.0, 0.01])
    assert grid[-1] == 0
    np.testing.assert_allclose(np.diff(grid[:-1] ** (1 / 7), 2), 0, atol=1e-12)
    ddpm = Process("epsilon")
    np.testing.assert_allclose(ddpm.grid(STEPS)[:-1], ddpm.sigmas[::-1])
    np.testing.assert_allclose(ddpm.grid(4)[:-1], ddpm.sigmas[[999, 666, 333, 0]])
