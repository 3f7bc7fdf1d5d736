"""Scores of quantiles on paper, against another library, and through the whole evaluation."""

import numpy as np
import pytest
import scores.continuous
import xarray as xr
from memory_shards import perfect_prog
from subjects import NAMES, subject_of

from app.data.description import Variable
from app.errors import InputError
from app.metrics.evaluate import evaluate
from app.metrics.metric import Block
from app.metrics.probabilistic.quantile_scores import Quantiles, pinball

LEVELS = (0.1, 0.4, 0.9)
ROWS, COLUMNS = 12, 14


def test_sums_on_paper():
    """Truth 2, 0, (gap); quantiles 1, 2, 4 of the first and 0, 0, 3 of the second, weight 3."""
    truth = np.array([2.0, 0.0, np.nan])[None, None]
    quantiles = np.array([[1.0, 0, 9], [2, 0, 9], [4, 3, 9]])[:, None, None]
    fields = np.array([[2.0, 0, 9], [1, 1, 9]])[:, None, None]
    area = np.array([[1.0, 3.0, 2.0]])
    subject = subject_of(np.zeros((5, 1, 3)), NAMES[:2], area=area, quantiles=LEVELS)
    sums = Quantiles(subject)
    sums.add(Block(subject, np.array([3]), truth, fields, quantiles))
    # of the quantiles: 0.1·1; 0; 0.1·2 + 3·0.1·3. Of the field 1 everywhere: τ + 3·(1 - τ)
    np.testing.assert_allclose(sums.pinball[:, 0, 3], [0.1, 0.0, 0.2 + 0.9], rtol=1e-12)
    np.testing.assert_allclose(sums.pinball[:, 1, 3], [2.8, 2.2, 1.2], rtol=1e-12)
    np.testing.assert_array_equal(sums.covered[:, 3], [3, 4, 4])
    assert sums.central[3] == 4
    assert not sums.pinball[:, :, :3].any()


def test_pinball_matches_the_scores_package():
    rng = np.random.default_rng(0)
    truth, field = rng.normal(size=(2, 5, 6, 7))
    for level in LEVELS:
        expected = scores.continuous.quantile_score(
            xr.DataArray(field, dims=list("tyx")),
            xr.DataArray(truth, dims=list("tyx")),
            alpha=level,
            preserve_dims="all",
        )
        np.testing.assert_allclose(pinball(truth, field, level), expected, rtol=1e-12)


def normal_truth(channels=1):
    """Shards of N(280, 1) everywhere, with a gap."""
    fields = 280 + np.random.default_rng(0).normal(size=(200, ROWS, COLUMNS, channels))
    fields[:, :3, :2, 0] = np.nan
    variables = tuple(Variable(f"v{c}", f"v{c}", units="K") for c in range(channels))
    return perfect_prog(fields, variables=variables)


def predicted(shards, offsets, levels):
    """Quantiles 280 + offset of every variable, the levels' dimension behind the time."""
    grid, n = shards.geometry.fine, shards.size("test")
    field = np.broadcast_to(
        280 + np.array(offsets)[None, :, None, None], (n, len(offsets), *grid.shape)
    )
    dims = ("time", "quantile", "lat", "lon")
    data = {v.name: (dims, field.astype("float32")) for v in shards.variables["hr"]}
    coordinates = {
        "time": shards.times("test"),
        "quantile": list(levels),
        "lat": ("lat", grid.lat, {"units": "degrees_north"}),
        "lon": ("lon", grid.lon, {"units": "degrees_east"}),
    }
    return xr.Dataset(data, coordinates)


def test_quantiles_of_a_known_distribution(tmp_path):
    """Coverage within 3 standard errors; pinball of N(0, 1) at its τ quantile is its density."""
    shards = normal_truth(channels=2)
    z = (-1.2815516, 0.25, 1.2815516)
    levels = (0.1, 0.5987063, 0.9)
    table = evaluate(shards, predicted(shards, z, levels), tmp_path, candidates=("linear",)).table
    n = shards.size("test") * ROWS * COLUMNS
    for name, level in zip(("0.1", "0.598706", "0.9"), levels, strict=True):
        error = 3 * np.sqrt(level * (1 - level) / n)
        assert table.value(f"coverage_{name}[v1]") == pytest.approx(level, abs=error)
    assert table.value("coverage_central[v1]") == pytest.approx(0.8, abs=0.01)
    density = np.exp(-(1.2815516**2) / 2) / np.sqrt(2 * np.pi)
    assert table.value("pinball_0.1[v1]") == pytest.approx(density, rel=0.03)
    assert table.value("pinball_0.9[v0]") == pytest.approx(density, rel=0.03)
    # the field is the quantile nearest to the median, 0.25 too high
    assert table.value("bias[v1]") == pytest.approx(0.25, abs=0.02)
    assert table.value("pinball_0.9[v1]", "linear") > table.value("pinball_0.9[v1]")
    assert np.isnan(table.value("coverage_0.9[v1]", "linear"))
    text = " ".join((tmp_path / "summary.txt").read_text().split())
    assert "model: the quantile 0.598706, nearest to the median" in text
    assert "from 0.1 to 0.9 should cover 0.8" in text
    assert "crps" not in [row.metric for row in table.rows]


def test_one_quantile_has_no_central_interval(tmp_path):
    shards = normal_truth()
    table = evaluate(shards, predicted(shards, [0.0], [0.5]), tmp_path, candidates=()).table
    assert table.value("pinball_0.5") == pytest.approx(table.value("mae") / 2)
    assert "coverage_central" not in [row.metric for row in table.rows]


def test_quantiles_out_of_order_are_refused(tmp_path):
    shards = normal_truth()
    wrong = predicted(shards, [0.0, 1.0], [0.9, 0.1])
    with pytest.raises(InputError, match=r"rising between 0 and 1.*found levels 0\.9, 0\.1"):
        evaluate(shards, wrong, tmp_path, candidates=())
