"""Variance spectra of fields whose spectra are known."""

import numpy as np
import pytest
from memory_shards import fine_grid
from scipy.fft import idctn
from scipy.ndimage import gaussian_filter
from subjects import scored

from app.grids import Grid
from app.metrics.spatial.spectra import (
    EARTH_RADIUS,
    Bands,
    Spectra,
    Spectrum,
    mode_variance,
    nearest_valid,
    spacing,
)

STEP = 0.1  # degrees


def square_grid(size):
    """A grid about the equator, where degrees of both directions are alike."""
    offsets = STEP * (np.arange(size) - (size - 1) / 2)
    return Grid(lat=offsets, lon=10 + offsets)


def fields_of(generator, size, samples, slope=0.0):
    """Fields whose cosine modes have the variance κ^slope."""
    m, n = np.ogrid[:size, :size]
    amplitude = np.hypot(m, n)
    amplitude[0, 0] = 1
    modes = generator.normal(size=(samples, size, size)) * amplitude ** (slope / 2)
    return idctn(modes, axes=(1, 2), norm="ortho")


def spectra_of(truth, *candidates, grid=None, origin=0.0):
    return spectrum(truth, *candidates, grid=grid, origin=origin).result()


def spectrum(truth, *candidates, grid=None, origin=0.0):
    """The metric of candidates (n, y, x), the first of which may be members (m, n, y, x)."""
    first = np.asarray(candidates[0])
    members = first if first.ndim == 4 else None
    fields = [first.mean(axis=0) if members is not None else first, *candidates[1:]]
    grid = grid or square_grid(truth.shape[-1])
    return scored(Spectrum, truth, np.stack(fields), members, grid=grid, origin=origin)


def test_spacing_in_kilometres():
    degree = EARTH_RADIUS * np.pi / 180
    dy, dx = spacing(fine_grid(3, 40, south=59.5, step=0.5))
    assert dy == pytest.approx(0.5 * degree, rel=1e-9)
    assert dx == pytest.approx(0.5 * degree * 0.5, rel=1e-3)


def test_a_wave_lies_in_its_band():
    size, k = 32, 5
    x = np.arange(size)
    wave = np.broadcast_to(3 * np.cos(np.pi * k * (x + 0.5) / size), (1, size, size))
    spectra = spectra_of(wave, wave)
    expected = np.zeros(len(spectra.wavelengths))
    expected[k - 1] = 9 / 2  # the variance of a cosine of amplitude 3
    np.testing.assert_allclose(np.nan_to_num(spectra.truth), expected, atol=1e-10)
    degree = EARTH_RADIUS * np.pi / 180
    assert spectra.wavelengths[k - 1] == pytest.approx(2 * size * STEP * degree / k, rel=1e-3)


def test_modes_add_up_to_the_variance():
    field = np.random.default_rng(0).normal(size=(1, 9, 14))
    (power,) = mode_variance(field)
    assert power.sum() - power[0, 0] == pytest.approx(field.var())
    assert power[0, 0] == pytest.approx(field.mean() ** 2)


def test_bands_hold_every_mode_of_a_square_up_to_nyquist_once():
    bands = Bands.of(square_grid(16))
    m, n = np.ogrid[:16, :16]
    np.testing.assert_array_equal(
        bands.number > 0, (np.hypot(m, n) >= 0.5) & (np.hypot(m, n) < 15.5)
    )
    assert len(bands.wavelengths) == 15
    assert bands.number[3, 4] == 5


def test_coarser_direction_limits_the_bands():
    # at 60 degrees a column is half as wide as a row: 12 rows of 2 and 24 columns of 1
    bands = Bands.of(fine_grid(12, 24, south=60 - 0.05 * 5.5, step=0.05))
    assert len(bands.wavelengths) == 11
    assert bands.number[0, 11] == 11
    assert bands.number[0, 12] == 0
    assert bands.number[3, 4] == 5


@pytest.mark.parametrize("slope", [0.0, -3.0])
def test_slopes_of_noise(slope):
    spectra = spectra_of(fields_of(np.random.default_rng(1), 64, 40, slope), np.ones((40, 64, 64)))
    k = np.arange(1, 64)
    fitted = np.polyfit(np.log(k[3:]), np.log(spectra.truth[3:]), 1)[0]
    # a band holds about k modes
    assert fitted == pytest.approx(slope + 1, abs=0.05)


def test_a_scaled_field_is_as_far_as_its_factor_says():
    truth = fields_of(np.random.default_rng(2), 32, 3, -3.0)
    spectra = spectra_of(truth, truth, truth / 2)
    decibel = 20 * np.log10(2)
    np.testing.assert_allclose(spectra.log_spectral_distance(), [0, decibel], atol=1e-9)
    np.testing.assert_allclose(spectra.power_ratio_high(), [0, -decibel], atol=1e-9)
    np.testing.assert_allclose(spectra.power_worst_high(), [0, -decibel], atol=1e-9)


def test_the_worst_of_the_short_waves_has_its_sign():
    """Of nine bands the last three count: 3 dB, -10 dB and 0 dB; the first band is far worse."""
    truth = np.ones(9)
    other = np.array([1e5, 1, 1, 1, 1, 1, 10**0.3, 0.1, 1.0])
    unknown = np.where(np.arange(9) == 8, np.nan, truth)
    spectra = Spectra(np.arange(9.0, 0.0, -1.0), truth, np.stack([other, truth, unknown]))
    np.testing.assert_allclose(spectra.power_worst_high(), [-10, 0, np.nan], atol=1e-12)


def test_a_smoothed_field_loses_the_power_of_its_filter():
    sigma, size = 1.2, 64
    truth = fields_of(np.random.default_rng(3), size, 20)
    smooth = gaussian_filter(truth, (0, sigma, sigma), mode="reflect", truncate=8)
    spectra = spectra_of(truth, smooth)
    # a Gaussian filter damps the variance of the wavenumber πk/N by exp(-σ²κ²)
    k = np.arange(1, size)
    expected = -10 * np.log10(np.e) * (sigma * np.pi * k / size) ** 2
    np.testing.assert_allclose(spectra.ratios[0][:40], expected[:40], atol=0.35)
    assert spectra.power_ratio_high()[0] < -20


def test_members_count_each_and_not_their_mean():
    rng = np.random.default_rng(4)
    truth, members = fields_of(rng, 24, 30), [fields_of(rng, 24, 30) for _ in range(4)]
    spectra = spectra_of(truth, np.stack(members), np.mean(members, axis=0))
    assert spectra.ratios[0].mean() == pytest.approx(0, abs=0.2)
    assert spectra.ratios[1].mean() == pytest.approx(-10 * np.log10(4), abs=0.3)


def test_samples_that_lack_much_do_not_count_and_a_few_cells_are_filled():
    rng = np.random.default_rng(5)
    truth = fields_of(rng, 16, 4)
    truth[2, 0, 0] = truth[2, 0, 1] = truth[2, 1, 0]
    holed = truth.copy()
    holed[1, 3:, 3] = np.nan
    holed[2, 0, 0] = np.nan
    sums = spectrum(holed, holed)
    assert (sums.complete, sums.filled) == (2, 1)
    np.testing.assert_allclose(
        sums.result().truth, spectra_of(truth[[0, 2, 3]], truth[[0, 2, 3]]).truth
    )
    assert spectrum(truth, np.full(truth.shape, np.nan)).result() is None


def test_rounding_is_no_variance():
    truth = fields_of(np.random.default_rng(6), 16, 2)
    flat = np.full(truth.shape, 280.1, dtype=np.float32)
    spectra = spectra_of(truth + 280, flat, origin=280.0)
    assert np.isnan(spectra.candidates).all()
    assert np.isnan(spectra.log_spectral_distance()).all()


def test_all_dry_samples_have_no_spectrum():
    dry = np.zeros((3, 12, 12))
    spectra = spectra_of(dry, dry)
    assert np.isnan(spectra.truth).all()
    assert np.isnan(spectra.power_ratio_high()).all()


def test_tiny_grids_have_none():
    truth = np.random.default_rng(7).normal(size=(5, 3, 3))
    assert spectra_of(truth, truth) is None
    row = Grid(lat=np.array([50.0, 50.5]), lon=np.arange(4.0))
    assert len(Bands.of(row).wavelengths) < 3


def test_the_nearest_valid_cell():
    valid = np.array([[[True, True, False], [False, True, False]], [[True] * 3] * 2])
    found = nearest_valid(valid)
    np.testing.assert_array_equal(found[0, [0, 1, 2, 4, 5]], [0, 1, 1, 4, 4])
    assert found[0, 3] in (0, 4)
    np.testing.assert_array_equal(found[1], np.arange(6))
