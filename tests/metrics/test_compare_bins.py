"""Paired comparison of runs bin by bin."""

import numpy as np
import pytest
import xarray as xr

from app.errors import InputError
from app.metrics.compare_bins import compare, dry_frequency

DAYS = 60


def run(folder, name, factor, seed=0, days=DAYS):
    """A run folder whose errors in the first bin are `factor` times those of the seed's draw."""
    rng = np.random.default_rng(seed)
    squares = rng.gamma(2.0, 1.0, (1, 2, 4 * days)) * np.array([factor**2, 1.0])[:, None]
    path = folder / name / "metrics"
    path.mkdir(parents=True)
    xr.Dataset(
        {
            "pr_squares": (("pr_candidate", "pr_bin", "time"), squares),
            "pr_weight": (("pr_bin", "time"), np.ones((2, 4 * days))),
            "pr_days": ("pr_bin", [days, 3]),
            "seconds": ("time", 6 * 3600 * np.arange(4 * days)),
        },
        {"pr_candidate": ["model"], "pr_bin": ["bin_1", "bin_2"]},
    ).to_netcdf(path / "bins.nc")
    return folder / name


def test_a_factor_on_all_errors_is_the_change_without_any_doubt(tmp_path):
    runs = [run(tmp_path, f"a{seed}", 0.8, seed) for seed in range(3)]
    others = [run(tmp_path, f"b{seed}", 1.0, seed) for seed in range(3)]
    (found,) = compare(runs, others)  # the other bin holds three days
    assert found.bin == "bin_1"
    assert found.change == pytest.approx(-0.2)
    assert (found.low, found.high) == pytest.approx((-0.2, -0.2))
    assert (found.lower, found.pairs) == (3, 3)
    assert found.spread == pytest.approx(0, abs=1e-12)


def test_equal_kinds_have_an_interval_around_nothing(tmp_path):
    runs = [run(tmp_path, f"a{seed}", 1.0, seed) for seed in range(4)]
    others = [run(tmp_path, f"b{seed}", 1.0, seed + 10) for seed in range(4)]
    (found,) = compare(runs, others)
    assert found.low < 0 < found.high
    assert found.high - found.low < 0.3


@pytest.mark.parametrize(("days", "count"), [(DAYS - 1, 1), (DAYS, 2)])
def test_runs_that_do_not_compare_are_refused(tmp_path, days, count):
    runs = [run(tmp_path, f"a{i}", 1.0) for i in range(count)]
    other = run(tmp_path, "b", 1.0, days=days)
    with pytest.raises(InputError, match="not scored on the times" if count == 1 else "as many"):
        compare(runs, [other])


def test_dry_frequency_is_the_mean_over_runs_of_what_is_not_wet(tmp_path):
    runs = [run(tmp_path, f"a{i}", 1.0) for i in range(2)]
    for folder, wet in zip(runs, (0.25, 0.35), strict=True):
        text = f"metric,model,model_std\nrmse,1,\nwet_frequency,{wet},0.1\n"
        (folder / "metrics" / "summary.csv").write_text(text)
    assert dry_frequency(runs) == pytest.approx(0.7)
    text = "metric,model\nrmse[pr],1\nwet_frequency[tas],0.9\nwet_frequency[pr],0.4\n"
    (runs[0] / "metrics" / "summary.csv").write_text(text)
    assert dry_frequency(runs[:1], "pr") == pytest.approx(0.6)
    assert np.isnan(dry_frequency(runs[:1]))
