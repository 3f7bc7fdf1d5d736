"""Which scores are worked out, what is said of each, and the regions that a user names."""

import numpy as np
import pytest
import xarray as xr
from subjects import NAMES, fed, subject_of

from app.data.wet import WetLimit
from app.errors import InputError
from app.grids import Grid
from app.metrics.catalogue import metrics_of
from app.metrics.climate import Climate
from app.metrics.confidence import confidence_of
from app.metrics.described import about_row, definitions
from app.metrics.metric import Result
from app.metrics.regions import Regions
from app.metrics.table import Table
from app.options.scoring import ScoringConfig, Threshold, score_names, thresholds, two_periods
from app.registry import REGISTRY

RNG = np.random.default_rng(4)
TRUTH = RNG.gamma(1.0, 3.0, (40, 8, 9))


def chosen(**scoring):
    """Names of the metrics of an ensemble of rain."""
    subject = subject_of(
        TRUTH,
        NAMES,
        kind="ratio",
        members=3,
        wet=WetLimit(1.0, None),
        climate=Climate(0.0, 20.0, (15.0, 18.0)),
        consecutive=np.ones(len(TRUTH) - 1, bool),
        scoring=ScoringConfig(**scoring),
    )
    return metrics_of(subject)


def names(metrics):
    paths = {REGISTRY.entry("metric", n).path: n for n in REGISTRY.names("metric")}
    return [paths[f"{type(m).__module__}:{type(m).__qualname__}"] for m in metrics]


def test_core_all_and_names():
    assert names(chosen(protocol="dl4ds")) == ["errors", "dl4ds"]
    assert "dl4ds" in names(chosen(protocol="dl4ds", scores=("core",)))
    core, everything = names(chosen()), names(chosen(scores=("all",)))
    assert core[0] == everything[0] == "errors"
    assert set(core) <= set(everything)
    assert names(chosen(scores=("ssim",))) == ["errors", "ssim"]
    assert names(chosen(scores=("core", "ssim"))) == core


def test_every_row_says_what_it_is():
    metrics = chosen(scores=("all", "dl4ds", "cordex_ml_bench"))
    members = RNG.gamma(1.0, 3.0, (3, *TRUTH.shape))
    fields = np.stack([members.mean(axis=0), TRUTH + 1, TRUTH * 1.1])
    fed(metrics, TRUTH, fields, members)
    rows = [row for metric in metrics for row in metric.rows(metrics[0])]
    rows = confidence_of(rows, metrics[0].subject).rows
    assert len({row.metric for row in rows}) == len(rows)
    for row in rows:
        about = about_row(row.metric, metrics)
        assert about is not None, row.metric
        assert all((about.long_name, about.formula, about.estimator, about.weighting, about.order))
    table = Table("Scores", NAMES, rows, ())
    result = Result(metrics[0].subject, metrics[0], metrics, "", table)
    lines = definitions([result])
    assert [line[0] for line in lines] == [row.metric for row in rows]
    assert lines[0][-1] == TRUTH.size
    low = next(line for line in lines if line[0] == "rmse_low")
    assert low[2].startswith("lower end of the 95 % interval")


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (score_names, "core,rmsee"),
        (thresholds, "1,p100"),
        (thresholds, "nan"),
        (two_periods, "1981-2000"),
        (two_periods, "2000-1981,1990-1991"),
    ],
)
def test_what_is_no_choice_is_refused_by_name(read, text):
    with pytest.raises(InputError, match=rf"--flag={text}: "):
        read(text, "flag")


def test_thresholds_and_periods_are_read():
    assert thresholds("1,p99.5", "") == (Threshold(1.0), Threshold(99.5, local=True))
    assert [str(one) for one in thresholds("0.1,p90", "")] == ["0.1", "p90"]
    assert two_periods("1981-2000,2081-2100", "") == ((1981, 2000), (2081, 2100))
    with pytest.raises(InputError, match="odd numbers"):
        ScoringConfig(fss_windows=(1, 4))


def test_regions_have_the_names_of_their_file(tmp_path):
    grid = Grid(lat=np.array([10.0, 11.0]), lon=np.array([0.0, 1.0, 2.0]))
    numbers = np.array([[0, 1, 2], [1, 1, 2]])
    coordinates = {"lat": grid.lat[::-1], "lon": grid.lon}  # first row north
    attributes = {"flag_values": [1, 2], "flag_meanings": "alps plain"}
    array = xr.DataArray(numbers[::-1], coordinates, ("lat", "lon"), attrs=attributes)
    array.to_dataset(name="area").to_netcdf(tmp_path / "m.nc")
    found = Regions.read(f"{tmp_path}/m.nc:area", grid).masks
    assert list(found) == ["alps", "plain"]
    np.testing.assert_array_equal(found["alps"], numbers == 1)
    other = Grid(lat=grid.lat + 5, lon=grid.lon)
    for named, of in (("m.nc:area", other), ("m.nc:none", grid), ("n.nc:area", grid)):
        with pytest.raises(InputError, match=r"--regions="):
            Regions.read(f"{tmp_path}/{named}", of)
    array.where(array == 9).to_dataset(name="area").to_netcdf(tmp_path / "e.nc")
    with pytest.raises(InputError, match="missing everywhere"):
        Regions.read(f"{tmp_path}/e.nc:area", grid)


def test_ends_of_intervals_and_samples_are_told_from_values():
    metrics = chosen(scores=("core",))
    members = RNG.gamma(1.0, 3.0, (3, *TRUTH.shape))
    fed(metrics, TRUTH, np.stack([members.mean(axis=0), TRUTH + 1, TRUTH * 1.1]), members)
    rows = [row for metric in metrics for row in metric.rows(metrics[0])]
    rows = confidence_of(rows, metrics[0].subject).rows
    result = Result(metrics[0].subject, metrics[0], metrics, "", Table("Scores", NAMES, rows, ()))
    lines = {line[0]: line for line in definitions([result])}
    assert lines["power_ratio_high"][2].startswith("variance at short waves")
    assert lines["crps_high"][2].startswith("upper end")
    assert lines["pearson"][-1] == len(TRUTH)
    assert lines["mae"][-1] == TRUTH.size


def test_a_name_that_only_begins_like_another_is_not_explained_by_it():
    metrics = chosen(scores=("all",))
    assert about_row("rmse", metrics) is not None
    assert about_row("rmsez", metrics) is None
    assert about_row("surface_score", metrics) is None
    assert about_row("fss_p90_3", metrics).long_name == "fractions skill score"
