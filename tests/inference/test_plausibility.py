"""Inputs unlike those of training are pointed out; those of another climate are mentioned."""

import logging

import numpy as np
import pytest

from app.inference.plausibility import compare_with_training
from app.models import Channel
from app.models.known_inputs import KnownInputs

TRAINED = np.random.default_rng(0).uniform(270, 294, (300, 3, 4, 1))


def said(caplog, values: np.ndarray, channel: Channel, low: float, high: float) -> list[str]:
    known = KnownInputs(np.ones((3, 4, 1), bool), np.array([low]), np.array([high]))
    caplog.clear()
    with caplog.at_level(logging.INFO, logger="absl"):
        compare_with_training(lambda rows: values[rows], len(values), (channel,), known)
    return [f"{record.levelname} {record.getMessage()}" for record in caplog.records]


def test_degrees_celsius_taken_for_kelvin(caplog):
    (line,) = said(caplog, TRAINED - 273.15, Channel("t2m", "K"), 270, 294)
    assert line.startswith("WARNING t2m: 100 % of the input's values lie outside the range of")
    assert "training (270 to 294 K), by up to 273 K; are the units right?" in line


@pytest.mark.parametrize("warmer", [1.0, 3.0, -3.0])
def test_another_climate_is_no_alarm(caplog, warmer):
    (line,) = said(caplog, TRAINED + warmer, Channel("t2m", "K"), 270, 294)
    share = 100 * np.mean(np.abs(TRAINED + warmer - 282) > 12)
    assert line.startswith("INFO t2m: ")
    assert float(line.split()[2]) == pytest.approx(share, abs=3)
    assert "units" not in line


def test_within_the_range_nothing_is_said(caplog):
    assert said(caplog, TRAINED, Channel("t2m", "K"), 270, 294) == []
    assert said(caplog, np.zeros((9, 3, 4, 1)), Channel("tp", "mm"), 0, 60) == []


def test_amounts_in_metres_taken_for_millimetres(caplog):
    rain = np.random.default_rng(0).exponential(4, (50, 3, 4, 1)) / 1000
    (line,) = said(caplog, rain, Channel("tp", "mm"), 0, 60)
    assert "in training values range over 0 to 60 mm; are the units right?" in line
    assert said(caplog, 1000 * rain, Channel("tp", "mm"), 0, 60) == []


def test_a_single_sentinel(caplog):
    values = np.array(TRAINED)
    values[0, 0, 0] = -9999
    (line,) = said(caplog, values, Channel("t2m", "K"), 270, 294)
    assert line.startswith("WARNING t2m: 0.3 % of the input's values")


def test_cells_that_training_never_had_and_gaps_are_not_compared(caplog):
    known = KnownInputs(np.ones((3, 4, 1), bool), np.array([270.0]), np.array([294.0]))
    known.valid[0, 0] = False
    values = np.array(TRAINED)
    values[:, 0, 0], values[:, 1, 1] = 500, np.nan
    with caplog.at_level(logging.INFO, logger="absl"):
        compare_with_training(lambda rows: values[rows], 300, (Channel("t2m", "K"),), known)
    assert not caplog.records
