"""What must not matter to scores: the unit, the order of blocks, cells that are not there."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from subjects import NAMES, fed, subject_of

from app.data.description import Variable
from app.data.wet import WetLimit
from app.grids import Grid
from app.metrics.catalogue import metrics_of
from app.metrics.climate import Climate
from app.options.scoring import ScoringConfig

RNG = np.random.default_rng(81)
DAYS = pd.date_range("2000-11-01", periods=60).values
SCORES = ScoringConfig(scores=("all", "cordex_ml_bench", "dl4ds"))
WARM = 285 + 6 * RNG.normal(size=(60, 6, 8))
RAIN = RNG.gamma(0.5, 5.0, (60, 6, 8))


def rows_of(truth, fields, unit, area=None, parts=None, grid=None, **about):
    """Values of all candidates, by row."""
    kind = about.get("kind", "interval")
    low, high = np.nanmin(truth), np.nanmax(truth)
    subject = subject_of(
        truth,
        NAMES[: len(fields)],
        area=area,
        grid=grid,
        consecutive=np.ones(59, bool),
        climate=Climate(float(low), float(high), (float(high), float(high))),
        scoring=SCORES,
        **about,
    )
    subject = replace(subject, times=DAYS, variable=Variable("v", "v", units=unit, kind=kind))
    metrics = metrics_of(subject)
    fed(metrics, truth, fields, parts=parts)
    rows = [row for metric in metrics for row in metric.rows(metrics[0])]
    return {
        (row.metric, row.unit): np.array([pair[0] for pair in row.values.values()]) for row in rows
    }


def test_kelvin_or_degrees():
    fields = np.stack([WARM + RNG.normal(size=WARM.shape), WARM + 0.5])
    kelvin = rows_of(WARM, fields, "K")
    degrees = rows_of(WARM - 273.15, fields - 273.15, "degC")
    relative = ("ssim", "dl4ds_ssim", "dl4ds_nrmse", "dl4ds_bias", "cordex_ralsd")
    for (name, _), values in kelvin.items():
        own = next(own for (other, _), own in degrees.items() if other == name)
        if not name.startswith(relative):  # which depend on the origin of the scale
            np.testing.assert_allclose(own, values, rtol=1e-6, atol=1e-6, err_msg=name)


def test_amounts_of_any_size():
    fields = np.stack([RAIN * RNG.uniform(0.5, 1.5, RAIN.shape), RAIN + 0.1])
    about = {"kind": "ratio"}
    small = rows_of(RAIN, fields, "mm day-1", wet=WetLimit(1.0), **about)
    # a power of two keeps what lies on either side of a threshold there
    factor = 1 / 1024
    large = rows_of(RAIN * factor, fields * factor, "mm day-1", wet=WetLimit(factor), **about)
    own_limits = ("cordex_", "rx", "sdii", "cdd", "cwd", "r95p", "wet_days")  # 1 mm whatever is wet
    for (name, unit), values in small.items():
        matches = [v for (other, _), v in large.items() if other == name]
        if name.startswith(own_limits) or not matches:
            continue
        powers = {"1": 0, "dB": 0, "%": 0, "km": 0, "step": 0, "h": 0, "month": 0}
        power = powers.get(unit, 1)
        np.testing.assert_allclose(
            matches[0], values * factor**power, rtol=1e-6, atol=1e-12, err_msg=name
        )


@settings(max_examples=4, deadline=None)
@given(st.permutations(range(5)))
def test_blocks_in_any_order(order):
    fields = (RAIN * 1.2)[None]
    whole = rows_of(RAIN, fields, "mm day-1", kind="ratio", wet=WetLimit(1.0))
    blocks = np.array_split(np.arange(60), 5)
    parts = [blocks[i] for i in order]
    again = rows_of(RAIN, fields, "mm day-1", kind="ratio", wet=WetLimit(1.0), parts=parts)
    for name, values in whole.items():
        np.testing.assert_allclose(again[name], values, rtol=1e-9, err_msg=name[0])


def test_cells_without_truth_do_not_count():
    fields = np.stack([WARM + RNG.normal(size=WARM.shape), WARM + 0.5])
    area = np.linspace(0.5, 1.5, 6)[:, None] * np.ones((6, 8))
    grid = Grid(lat=np.arange(6) * 0.1, lon=np.arange(8) * 0.1)
    wider = Grid(lat=grid.lat, lon=np.arange(11) * 0.1)
    own = rows_of(WARM, fields, "K", area=area, grid=grid)

    def padded(values, by):
        return np.concatenate([values, np.full((*values.shape[:-1], 3), by)], axis=-1)

    more = rows_of(
        padded(WARM, np.nan), padded(fields, 999.0), "K", area=padded(area, 1.3), grid=wider
    )
    # these see the size of the domain, or by definition what is missing as 0
    of_domain = (
        *("log_spectral", "power_", "ralsd", "correlation_length", "ssim"),
        *("cordex_", "dl4ds_ssim", "mae_2x2"),
    )
    for (name, unit), values in own.items():
        if not name.startswith(of_domain):
            np.testing.assert_allclose(more[name, unit], values, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("name", ["mae", "r2", "twcrps_p90"])
def test_wild_predictions_of_missing_truth_do_not_count(name):
    truth = WARM.copy()
    truth[10:13] = truth[:, 2, 3] = np.nan
    fields = (WARM + 1)[None]
    wild = np.where(np.isnan(truth), 1e9, fields)
    one, other = (rows_of(truth, f, "K") for f in (fields, wild))
    key = next(key for key in one if key[0] == name)
    np.testing.assert_array_equal(one[key], other[key])
