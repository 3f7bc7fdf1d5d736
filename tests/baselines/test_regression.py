"""The closed-form estimate: each part against a direct solution, and what is chosen when."""

import numpy as np
import pytest
from memory_shards import perfect_prog

from app.baselines import regression
from app.baselines.base import coarse_inputs
from app.baselines.interpolation import find_twins
from app.baselines.regression import Choice, fit_regression
from app.baselines.ridge import evaluate
from app.data.transforms import Scaling
from app.models import LinearGuess
from app.models.layers.resize import Resize


class Plain:
    """Shards whose encoded values are (x - offset) / scale, coarse and fine ones not alike."""

    def __init__(self, shards):
        self._shards = shards
        self.geometry, self.variables = shards.geometry, shards.variables
        self.coarse_predictand = shards.coarse_predictand
        self.splits, self.size = shards.splits, shards.size
        count = len(shards.variables["hr"])
        self.scaling = {
            "lr": scaling(270.0, 2.0, count),
            "hr": scaling(275.0, 3.0, count),
        }

    def harmonics(self, split, indices=slice(None)):
        return self._shards.harmonics(split, indices)[:, :2]

    def read(self, role, split, indices):
        return self.scaling[role].encode(self._shards.read(role, split, indices))


def scaling(offset, scale, count):
    unused = dict.fromkeys(("mean", "std", "minimum", "maximum", "data_range"), np.zeros(count))
    return Scaling(offset=np.full(count, offset), scale=np.full(count, scale), **unused)


def weather(n, rows=12, columns=16, seed=0, waves=6):
    """Smooth random fields (n, rows, columns, 1), finer than a grid twice as coarse can tell."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :columns]
    total = np.zeros((n, rows, columns))
    for _ in range(waves):
        ky, kx = rng.uniform(0.1, 1.2, 2)
        phase = rng.uniform(0, 2 * np.pi, n)[:, None, None]
        total += rng.normal(size=n)[:, None, None] * np.sin(ky * y + kx * x + phase)
    return (280 + 3 * total)[..., None]


def rmse(fields, found):
    indices = np.arange(fields.size("test"))
    return float(np.sqrt(np.nanmean((found - fields.read("hr", "test", indices)) ** 2)))


def fitted(hr, choice=None, **options):
    fields = Plain(perfect_prog(hr, **options))
    fit, choice = fit_regression(fields, find_twins(fields._shards), choice)
    return fields, evaluate(fit, fields, np.arange(fields.size("test")), "test"), choice


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
def test_interpolation_alone_is_that_of_the_networks_layer(method):
    hr = weather(20)
    fields, found, _ = fitted(hr, Choice(method))
    coarse = fields._shards.read("lr", "test", np.arange(4))
    expected = np.asarray(Resize(method, scale=2)(coarse))
    np.testing.assert_allclose(fields.scaling["hr"].decode(found), expected, rtol=1e-5)


def test_shared_slopes_are_the_least_squares_of_all_cells():
    hr = weather(60)
    start, _, _ = fitted(hr, Choice("bicubic"))
    fit = regression._Fit(start, find_twins(start._shards))
    band = fit.sums.bands()[0]
    rows = np.arange(band.start, band.stop)
    left = fit.sums.equations("train", band).minus(fit._start(rows, "bicubic"))
    slopes = fit._shared([(left, rows)], 1e-12)
    indices = np.arange(start.size("train"))
    x = fit.sums._design(coarse_inputs(start, indices, "train"), start.harmonics("train"), band)
    x = (x - x.mean(axis=0))[..., :49].transpose(1, 2, 0, 3).reshape(-1, 49)
    alone = regression._Fit(start, find_twins(start._shards))
    solution = alone.sums.physical(alone._start(rows, "bicubic"), band).astype(float)
    design = alone.sums._design(
        coarse_inputs(start, indices, "train"), start.harmonics("train"), band
    )
    truth = regression.to_offsets(start.read("hr", "train", indices), start.geometry)
    rest = truth - np.moveaxis(design, 0, 2) @ solution
    rest = (rest - rest.mean(axis=2, keepdims=True)).reshape(-1, 4)
    expected = np.linalg.lstsq(x, rest, rcond=1e-9)[0]
    np.testing.assert_allclose(x @ slopes[:49], x @ expected, atol=2e-4)
    assert np.abs(rest).max() > 0.1  # there was something to explain


def test_few_samples_share_what_many_fit_cell_by_cell():
    few_fields, few, choice_of_few = fitted(weather(24))
    assert choice_of_few.shared is not None
    rng = np.random.default_rng(1)
    own = rng.normal(size=(1, 12, 16, 1))  # each fine cell answers in its own way
    mean = np.kron(weather(600)[:, ::2, ::2], np.ones((1, 2, 2, 1)))
    many_fields, many, choice_of_many = fitted(mean * (1 + 0.2 * own))
    assert choice_of_many.radius
    for fields, found in ((few_fields, few), (many_fields, many)):
        coarse = fields._shards.read("lr", "test", np.arange(fields.size("test")))
        bicubic = fields.scaling["hr"].encode(np.asarray(Resize("bicubic", scale=2)(coarse)))
        assert rmse(fields, found) < 0.9 * rmse(fields, bicubic)


def test_noise_is_left_to_the_mean_of_what_the_coarse_field_tells():
    rng = np.random.default_rng(2)
    noise = 280 + rng.normal(size=(16, 12, 16, 1))
    fields, found, choice = fitted(noise)
    coarse = fields._shards.read("lr", "test", np.arange(fields.size("test")))
    bicubic = fields.scaling["hr"].encode(np.asarray(Resize("bicubic", scale=2)(coarse)))
    assert rmse(fields, found) <= 1.001 * rmse(fields, bicubic), choice


def test_gaps_and_cells_without_any_value():
    hr = weather(80, waves=60)
    whole_fields, whole, _ = fitted(hr.copy())
    hr[:, :4, :4] = np.nan  # two coarse rows and columns of sea
    hr[::3, 6:, 9] = np.nan  # a column that is often missing
    fields, found, _ = fitted(hr)
    assert np.isnan(found[:, :4, :4]).all()
    assert np.isfinite(found[:, 4:, 4:]).all()
    assert rmse(fields, found) < 0.01 + 1.5 * rmse(whole_fields, whole)


def test_bands_and_rows_to_look_at_change_little(monkeypatch):
    hr = weather(100)
    fields, whole, _ = fitted(hr)
    monkeypatch.setattr("app.baselines.ridge.BAND_BYTES", 2**18)
    banded = fit_regression(fields, find_twins(fields._shards))[0]
    found = evaluate(banded, fields, np.arange(fields.size("test")), "test")
    np.testing.assert_allclose(found, whole, atol=1e-4)
    monkeypatch.setattr(regression, "CHOICE_WORK", 1)
    fewer = fit_regression(fields, find_twins(fields._shards))[0]
    found = evaluate(fewer, fields, np.arange(fields.size("test")), "test")
    assert rmse(fields, found) < 1.1 * rmse(fields, whole)


def test_the_layer_of_a_model_gives_the_same():
    fields, found, _ = fitted(weather(40))
    fit, _ = fit_regression(fields, find_twins(fields._shards))
    layer = LinearGuess.from_arrays(
        fit.coefficients,
        fit.fill,
        n_lr=1,
        scale=2,
        lr_radius=fit.lr_radius,
        predictor_radius=fit.predictor_radius,
        time_channels=(0, 1),
    )
    indices = np.arange(fields.size("test"))
    time = np.zeros((len(indices), 8), "float32")
    time[:, :2] = fields.harmonics("test")
    own = layer({"coarse": coarse_inputs(fields, indices, "test"), "time": time})
    np.testing.assert_allclose(np.asarray(own), found, atol=1e-4)


def test_choices_say_what_they_are():
    assert str(Choice("bicubic")) == "bicubic"
    assert str(Choice("", 1e-3, 0)) == (
        "mean + correction shared by all cells + constant per fine cell"
    )
    told = str(Choice("bicubic", None, 2, True, (0.1,)))
    assert told == "bicubic + ridge per fine cell on 2 coarse cells around and the time"


def test_large_problems_see_less_or_are_left_to_the_interpolation():
    hr = weather(4)
    small = perfect_prog(hr)
    assert regression.sight(small.geometry, small.variables) == (3, 1)
    assert regression.sight(small.geometry, small.variables, own=False) == (1, 1)
    many = {**small.variables, "lr": small.variables["lr"] * 30}
    assert regression.affordable(small.geometry, small.variables)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regression, "FIT_WORK", 24 * 60**3 - 1)  # 49 cells and more at radius 3
        assert regression.sight(small.geometry, small.variables) == (2, 1)
        assert not regression.affordable(small.geometry, many)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regression, "COEFFICIENT_BYTES", 4 * 48 * 4 * 40)
        assert regression.sight(small.geometry, small.variables) == (2, 1)
