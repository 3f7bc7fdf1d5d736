"""Quantile mapping and BCSD as baselines."""

import numpy as np
import pytest
from memory_shards import fitted, perfect_prog

from app.baselines.catalogue import baselines_for
from app.baselines.quantile_mapping import Bcsd, QuantileMapping
from app.data.description import Variable

RAIN = (Variable("pr", "pr", units="mm day-1", kind="ratio", valid_min=0),)
RNG = np.random.default_rng(0)
FACTOR = 1 + RNG.random((8, 8))  # how much wetter a cell is than the air above it


def orographic(n=600):
    """Rain of one coarse field times a factor of each cell."""
    coarse = np.maximum(RNG.gumbel(0.0, 2.0, (n, 4, 4)), 0)
    return (coarse.repeat(2, 1).repeat(2, 2) * FACTOR)[..., None].astype("float32")


def test_mapped_interpolation_has_the_training_distribution_of_each_cell():
    shards = perfect_prog(orographic(), variables=RAIN)
    n = shards.size("train")
    truth = shards.read("hr", "train", np.arange(n))
    found = QuantileMapping(shards).predict(np.arange(n), "train")
    np.testing.assert_allclose(found.mean(axis=0), truth.mean(axis=0), rtol=0.03)
    wet = [(fields > 0.01).mean() for fields in (truth, found)]
    assert wet[0] == pytest.approx(wet[1], abs=0.01)


def test_bcsd_keeps_the_climatology_and_is_dry_where_all_is_dry():
    shards = perfect_prog(orographic(), variables=RAIN)
    n = shards.size("train")
    bcsd = Bcsd(shards)
    truth = shards.read("hr", "train", np.arange(n))
    np.testing.assert_allclose(
        bcsd.predict(np.arange(n), "train").mean(axis=0), truth.mean(axis=0), rtol=0.15
    )
    test = np.arange(shards.size("test"))
    low = shards.read("lr", "test", test)
    dry = (low == 0).all(axis=(1, 2, 3))
    assert (bcsd.predict(test, "test")[dry] == 0).all()


def test_bcsd_of_a_field_that_is_everywhere_its_climatology_is_the_fine_one():
    hr = np.broadcast_to(FACTOR[None, ..., None], (60, 8, 8, 1)).astype("float32")
    shards = perfect_prog(hr, variables=(Variable("t", "t", units="K"),))
    found = Bcsd(shards).predict(np.arange(3), "test")
    np.testing.assert_allclose(found[..., 0], np.broadcast_to(FACTOR, (3, 8, 8)), rtol=1e-5)


def test_they_are_computed_for_ratio_variables_or_on_request():
    plain = perfect_prog(orographic(60), variables=(Variable("t", "t", units="K"),))
    assert "bcsd" not in baselines_for(plain)
    assert [b.name for b in fitted(plain, ("bcsd",))] == ["bcsd"]
    assert {"bcsd", "quantile_mapping"} < set(
        baselines_for(perfect_prog(orographic(60), variables=RAIN))
    )
