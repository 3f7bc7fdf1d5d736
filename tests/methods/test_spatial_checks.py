"""What is fitted to the data before training, where the data hardly allow it."""

from types import SimpleNamespace

import numpy as np
import pytest

from app import options
from app.data.description import Variable
from app.methods.spatial.checks import amount_limits


@pytest.mark.parametrize(("mean", "std", "unit"), [(0.5, 1.5, 2.0), (0.0, 0.0, 0.3)])
def test_amounts_are_told_in_units_of_their_spread_or_of_the_threshold(
    mean: float, std: float, unit: float
) -> None:
    rain = Variable("pr", "pr", units="mm", kind="ratio", wet_threshold=0.3)
    scaling = SimpleNamespace(mean=np.array([mean]), std=np.array([std]))
    shards = SimpleNamespace(predictands=(rain,), scaling={"hr": scaling})
    argv = ["train", "--data=synthetic", "--variable=pr", "--loss=bernoulli_gamma"]
    experiment = options.build(*options.parse(argv))
    assert amount_limits(experiment, shards) == ((unit, 0.3),)
