"""Differences of runs: intervals by hand, and the script that prints them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from memory_shards import perfect_prog
from score_files import samples

from app.errors import InputError
from app.metrics.evaluate import evaluate
from app.metrics.paired import SUMS_OF, adjusted, paired_differences

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "compare_runs.py"


def test_paired_interval_is_narrower_than_the_unpaired_error(tmp_path: Path) -> None:
    """Days differ much, the two models on each of them little: only pairing shows it."""
    rng = np.random.default_rng(0)
    day = rng.gamma(2, 2, 700)
    better, worse = day, day * 1.05
    (one,) = paired_differences(
        [samples(tmp_path / "worse.nc", worse)], [samples(tmp_path / "better.nc", better)]
    )
    assert one.value == pytest.approx((1.05**0.5 - 1) * np.sqrt(day.mean()))
    assert 0 < one.low < one.value < one.high
    error_of_mean = np.sqrt(day).std() / np.sqrt(len(day))
    assert one.high - one.low < error_of_mean


def test_many_pairs_are_adjusted_for_each_other(tmp_path: Path) -> None:
    """Of three runs alike in their errors one p may be small, of all three no pair is apart."""
    rng = np.random.default_rng(1)
    runs = [samples(tmp_path / f"{k}.nc", rng.gamma(2, 2, 300)) for k in range(3)]
    apart = samples(tmp_path / "apart.nc", rng.gamma(2, 3, 300))
    pairs = [(0, 1), (0, 2), (1, 2)]
    found = [one for a, b in pairs for one in paired_differences([runs[a]], [runs[b]])]
    found += paired_differences([apart], [runs[0]])
    told = adjusted(found)
    assert [one.conclusion for one in told] == [*["not to be told apart"] * 3, "worse"]
    order = np.argsort([one.p for one in found])
    steps = np.array([found[i].p for i in order]) * np.arange(4, 0, -1)
    expected = np.minimum(np.maximum.accumulate(steps), 1)
    assert [told[i].p_holm for i in order] == pytest.approx(expected)


def test_too_few_days_give_no_interval_and_other_days_are_refused(tmp_path: Path) -> None:
    short = [samples(tmp_path / f"{k}.nc", np.full(20, k**2.0)) for k in (1, 2)]
    (one,) = paired_differences(short[:1], short[1:])
    assert one.value == pytest.approx(-1)
    assert np.isnan([one.low, one.high]).all()
    other = samples(tmp_path / "other.nc", np.ones(20), start="2002-01-01")
    with pytest.raises(InputError, match="scored on other samples"):
        paired_differences(short[:1], [other])
    with pytest.raises(InputError, match="nc: without crps by sample"):
        paired_differences(short[:1], short[1:], ["rmse", "crps"])


def test_an_ensemble_against_a_single_field_by_hand(tmp_path: Path) -> None:
    """Members off by 1 and 3 have a fair CRPS of 2 - 2 / 2, on 2×2 means too; the field is off."""
    rng = np.random.default_rng(0)
    fields = 280 + rng.normal(size=(120, 8, 10, 1)).cumsum(axis=0)
    shards = perfect_prog(fields)
    truth = shards.read("hr", "test", np.arange(shards.size("test")))[..., 0]
    grid = shards.geometry.fine
    coordinates = {"time": shards.times("test"), **grid.coords()}

    def run(name: str, values: np.ndarray, *lead: str) -> Path:
        data = xr.Dataset({"v0": ((*lead, "time", *grid.dims), values)}, coordinates)
        evaluate(shards, data, tmp_path / name / "metrics", candidates=("bilinear", "bicubic"))
        return tmp_path / name

    runs = run("members", np.stack([truth + 1, truth + 3]), "member"), run("field", truth + 2)
    files = [[one / "metrics" / "samples.nc"] for one in runs]
    found = {one.score: one.means for one in paired_differences(*files, tuple(SUMS_OF))}
    for score, means in {"mae": (2, 2), "rmse": (2, 2), "crps": (1, 2), "crps_2x2": (1, 2)}.items():
        assert found[score] == pytest.approx(means, rel=1e-4), score
    done = subprocess.run(
        [sys.executable, SCRIPT, runs[0], "--against", runs[1], "--bins"],
        capture_output=True,
        text=True,
        check=True,
    )
    (crps,) = (line.split() for line in done.stdout.splitlines() if line.startswith("crps "))
    assert [float(word) for word in crps[1:4]] == pytest.approx([1, 2, -1], rel=1e-3)
    gone = subprocess.run(
        [sys.executable, SCRIPT, runs[0], "--against", tmp_path / "none"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert gone.returncode == 2
    assert "none/metrics/samples.nc: no scores by sample" in gone.stderr
    assert len(gone.stderr.splitlines()) == 1
