"""What a session gives to training and to the stages after it."""

from pathlib import Path

import numpy as np
import pytest

from app import options
from app.ranks import Ranks
from app.session import Session
from tests.system.conftest import fields

DRIVER_BIAS = 3.0  # K

YAML = """
predictand: {files: fine.nc, variables: {t2m: {units: K}}}
low_resolution: {files: driver.nc, variables: {t2m: {units: K}}}
"""


@pytest.fixture
def argv(tmp_path: Path) -> list[str]:
    """A driver that is the predictand on every other point, warmer by a constant."""
    fine = fields(n=20, y=16, x=16)[["t2m"]]
    fine.to_netcdf(tmp_path / "fine.nc")
    (fine.coarsen(lat=2, lon=2).mean() + DRIVER_BIAS).to_netcdf(tmp_path / "driver.nc")
    (tmp_path / "data.yml").write_text(YAML, encoding="utf-8")
    return [
        f"--data_config={tmp_path / 'data.yml'}",
        f"--cache_dir={tmp_path / 'cache'}",
        "--scale=4",
    ]


def session(argv: list[str]) -> Session:
    return Session(options.build(*options.parse(["train", "test", *argv])), Ranks())


def test_perfect_prog_is_trained_on_coarse_truth_and_tested_on_the_driver(argv: list[str]) -> None:
    both = session([*argv, "--paired_samples=implicit", "--test_pairs=explicit"])
    trained, tested = both.shards, both.for_test.shards
    indices = np.arange(tested.size("test"))
    np.testing.assert_array_equal(
        trained.read("hr", "test", indices), tested.read("hr", "test", indices)
    )
    bias = tested.read("lr", "test", indices) - trained.read("lr", "test", indices)
    assert bias.mean() == pytest.approx(DRIVER_BIAS, abs=0.1)
    assert trained.geometry.to_dict() == tested.geometry.to_dict()


def test_without_other_pairs_both_are_one_session(argv: list[str]) -> None:
    same = session([*argv, "--paired_samples=explicit", "--test_pairs=explicit"])
    assert same.for_test is same
    other = session([*argv, "--test_pairs=explicit"])
    assert other.for_test is not other
    assert other.for_test is other.for_test
