"""Bicubic corrected for height: the curve by hand, and a lapse rate that was put in."""

from dataclasses import replace

import numpy as np
import pytest
from memory_shards import fine_grid, perfect_prog

from app.baselines.catalogue import baselines_for
from app.baselines.lowess import Lowess
from app.baselines.orography import OrographyCorrected, hidden_height
from app.data.description import Variable

LAPSE = -0.0065  # K m-1
RAIN = Variable("pr", "pr", units="mm", kind="ratio", valid_min=0.0)
TEMPERATURE = Variable("tas", "tas", units="K")


def test_lowess_keeps_a_line_within_and_beyond_its_points():
    x = np.random.default_rng(0).normal(size=50)
    curve = Lowess.fit(x, 3 - 2 * x)
    at = np.array([-9.0, -0.3, 0.0, 0.7, 9.0])
    np.testing.assert_allclose(curve(at), 3 - 2 * at, atol=1e-9)


def test_lowess_weighs_neighbours_by_the_tricube():
    """At the point 0 of four, of which the farthest lies 9 away."""
    x, y = np.array([-1.0, 0.0, 2.0, 9.0]), np.array([4.0, 1.0, 50.0, -70.0])
    weights = (1 - (np.abs(x) / 9) ** 3) ** 3
    fitted = np.polynomial.Polynomial.fit(x, y, 1, w=np.sqrt(weights))
    assert Lowess.fit(x, y, share=1.0)(np.zeros(1))[0] == pytest.approx(fitted(0.0), abs=1e-9)


def test_points_of_one_height_give_their_mean():
    assert Lowess.fit(np.zeros(4), np.array([1.0, 2.0, 3.0, 6.0]))(np.ones(2)).tolist() == [3, 3]


def shards_on_mountains(variables=(TEMPERATURE,)):
    """A flat field of its own each day, less the lapse rate times a rough orography."""
    draw = np.random.default_rng(1)
    height = draw.gamma(2.0, 300.0, size=(12, 16))
    days = 280 + draw.normal(size=(30, 1, 1, 1))
    hr = np.repeat(days + LAPSE * height[..., None], len(variables), axis=-1)
    shards = perfect_prog(hr, scale=4, grid=fine_grid(12, 16), variables=variables)
    shards.variables["static"] = (Variable("orography", "orography", units="m"),)
    return replace(shards, static=height[..., None].astype(np.float32))


def test_a_lapse_rate_is_found_and_undone():
    shards = shards_on_mountains()
    baseline, rows = OrographyCorrected(shards), np.arange(shards.size("test"))
    hidden = hidden_height(shards)
    np.testing.assert_allclose(baseline.correction[..., 0], LAPSE * hidden, atol=1e-3)
    np.testing.assert_allclose(
        baseline.predict(rows, "test"), shards.read("hr", "test", rows), atol=2e-3
    )


def test_amounts_stay_as_bicubic_gives_them():
    shards = shards_on_mountains((TEMPERATURE, RAIN))
    correction = OrographyCorrected(shards).correction
    assert not correction[..., 1].any()
    assert np.abs(correction[..., 0]).max() > 1.0


def test_offered_where_heights_are_known_and_some_variable_has_an_interval_scale():
    known = shards_on_mountains()
    assert "bicubic_orography" in baselines_for(known)
    assert "bicubic_orography" not in baselines_for(shards_on_mountains((RAIN,)))
    known.variables["static"] = (Variable("lsm", "lsm"),)
    assert "bicubic_orography" not in baselines_for(known)
