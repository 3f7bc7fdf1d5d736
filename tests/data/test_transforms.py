"""Transforms by hand, scaling against NumPy on the whole array at once."""

import json

import numpy as np
import pytest

from app.data.description import Variable
from app.data.transforms import (
    Scaling,
    ScalingFit,
    clip,
    forward,
    forward_all,
)
from app.errors import InputError

LOG = Variable("pr", "pr", transform="log1p", transform_scale=0.5, valid_min=0.0)
ROOT = Variable("pr", "pr", transform="sqrt", transform_scale=4.0, valid_min=0.0, valid_max=50.0)
PLAIN = Variable("tas", "tas")


def test_forward_by_hand():
    x = np.array([-1.0, 0.0, 0.5, 1.5, np.nan])
    np.testing.assert_allclose(forward(x, LOG), [0, 0, np.log(2), np.log(4), np.nan])
    x = np.array([-1.0, 0.0, 4.0, 36.0, np.nan])
    np.testing.assert_allclose(forward(x, ROOT), [0, 0, 1, 3, np.nan])
    np.testing.assert_array_equal(forward(x, PLAIN), x)


def test_clip():
    x = np.array([-1.0, 10.0, 60.0, np.nan])
    np.testing.assert_array_equal(clip(x, ROOT), [0, 10, 50, np.nan])
    np.testing.assert_array_equal(clip(x, LOG), [0, 10, 60, np.nan])
    np.testing.assert_array_equal(clip(x, PLAIN), x)


def test_channels_are_transformed_each_in_its_way():
    x = np.random.default_rng(0).random((2, 3, 4, 2)).astype(np.float32)
    z = forward_all(x, (PLAIN, ROOT))
    np.testing.assert_array_equal(z[..., 0], x[..., 0])
    np.testing.assert_allclose(z[..., 1], np.sqrt(x[..., 1] / 4), rtol=1e-6)


def sample(n=100, missing=0.2):
    rng = np.random.default_rng(1)
    values = rng.normal([1e5, 0.01], [300, 0.002], (n, 5, 6, 2)).astype(np.float32)
    values += rng.normal(0, 1, (5, 6, 2)).astype(np.float32) * np.array([500, 0.001], np.float32)
    values[rng.random(values.shape) < missing] = np.nan
    return values


def fitted(values, pieces):
    """Blocks of uneven length dealt out to two fits, then merged."""
    first, second = ScalingFit(), ScalingFit()
    for number, block in enumerate(np.split(values, pieces)):
        (first if number % 2 else second).add(block)
    first.merge(second)
    return first


@pytest.mark.parametrize(("axes", "over"), [("domain", (0, 1, 2)), ("pixel", 0)])
def test_statistics_agree_with_numpy(axes, over):
    values = sample()
    exact = values.astype(np.float64)
    scaling = fitted(values, [1, 2, 30, 77]).result("standard", axes)
    np.testing.assert_allclose(scaling.mean, np.nanmean(exact, axis=over), rtol=1e-12)
    np.testing.assert_allclose(scaling.std, np.nanstd(exact, axis=over), rtol=1e-9)
    np.testing.assert_array_equal(scaling.minimum, np.nanmin(values, axis=over))
    np.testing.assert_array_equal(scaling.maximum, np.nanmax(values, axis=over))
    encoded = scaling.encode(values)
    assert encoded.dtype == np.float32
    np.testing.assert_allclose(np.nanmean(encoded, axis=over), 0, atol=1e-4)
    np.testing.assert_allclose(np.nanstd(encoded, axis=over), 1, atol=1e-4)
    np.testing.assert_allclose(
        scaling.data_range, np.nanmax(encoded, (0, 1, 2)) - np.nanmin(encoded, (0, 1, 2)), rtol=1e-5
    )
    np.testing.assert_allclose(scaling.decode(encoded), values, rtol=1e-6)


@pytest.mark.parametrize("axes", ["domain", "pixel"])
def test_minmax(axes):
    encoded = fitted(sample(), [50]).result("minmax", axes).encode(sample())
    over = (0, 1, 2) if axes == "domain" else 0
    np.testing.assert_allclose(np.nanmin(encoded, over), 0, atol=1e-6)
    np.testing.assert_allclose(np.nanmax(encoded, over), 1, atol=1e-6)


def test_none_leaves_values_alone():
    values = sample()
    scaling = fitted(values, [3]).result("none")
    np.testing.assert_array_equal(scaling.encode(values), values)
    spread = np.nanmax(values, (0, 1, 2)) - np.nanmin(values, (0, 1, 2))
    np.testing.assert_allclose(scaling.data_range, spread, rtol=1e-6)


def test_order_and_offset_cost_no_precision():
    rng = np.random.default_rng(2)
    values = 1e8 + rng.normal(size=(1000, 1, 1, 1))
    fit = ScalingFit()
    for block in np.split(values, 200):
        fit.add(block)
    np.testing.assert_allclose(fit.result().std, values.std(), rtol=1e-7)


@pytest.mark.parametrize("kind", ["standard", "minmax"])
def test_constant_fields_get_scale_one(kind):
    values = np.full((10, 2, 2, 1), 0.1, np.float32)
    scaling = fitted(values, [3]).result(kind)
    np.testing.assert_array_equal(scaling.scale, 1)
    np.testing.assert_array_equal(scaling.data_range, 1)
    np.testing.assert_allclose(scaling.encode(values), 0, atol=1e-7)


def test_pixels_never_seen_take_the_domains_numbers():
    values = sample()
    values[:, 0, 0] = np.nan
    fit = fitted(values, [10])
    pixel, domain = fit.result("standard", "pixel"), fit.result("standard", "domain")
    np.testing.assert_array_equal(pixel.mean[0, 0], domain.mean)
    np.testing.assert_array_equal(pixel.scale[0, 0], domain.scale)


def test_all_missing_or_nothing_is_refused():
    fit = ScalingFit(("tas", "pr"))
    with pytest.raises(InputError, match="received none"):
        fit.result()
    values = sample()
    values[..., 1] = np.nan
    fit.add(values)
    with pytest.raises(InputError, match="variable pr: no valid value"):
        fit.result()


def test_no_channels():
    fit = ScalingFit()
    fit.add(np.zeros((1, 3, 4, 0)))
    assert fit.result().encode(np.zeros((3, 4, 0))).shape == (3, 4, 0)


def test_arrays_round_trip():
    scaling = fitted(sample(), [10]).result("standard", "pixel")
    stored = json.dumps({k: v.tolist() for k, v in scaling.to_arrays().items()})
    again = Scaling.from_arrays(json.loads(stored))
    for name, value in scaling.to_arrays().items():
        np.testing.assert_array_equal(getattr(again, name), value)
