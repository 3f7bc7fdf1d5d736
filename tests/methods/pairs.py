"""What the tests of training methods share: arrays of a model, batches, trainers, refusals."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest

from app.distributed import Communicator
from app.errors import InputError
from app.models import Channel, FittedModel, ModelArrays, ModelSpec
from app.options import Experiment, TrainingConfig, build, parse
from app.ranks import Ranks
from app.training.state import capture, restore

MEAN, SPREAD, SCALE = 280.0, 5.0, 2  # K, K, fine cells along a coarse one
Batch = dict[str, np.ndarray]
Trained = TypeVar("Trained")


def fine(cells: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the fine grid."""
    return cells[0] * SCALE, cells[1] * SCALE


def spec(**options: Any) -> ModelSpec:
    """One channel of temperature to the same on the fine grid."""
    channel = Channel("t2m", "K")
    return ModelSpec((channel,), (channel,), 1, {"scale": SCALE, "pad": [0, 0, 0, 0]}, **options)


def arrays(cells: tuple[int, int], *, static: bool = False) -> ModelArrays:
    """Scaling by MEAN and SPREAD, no missing cells; a static field of random numbers if asked."""
    shape, one = (*fine(cells), 1), np.ones(1)
    field = np.random.default_rng(1).normal(size=shape) if static else None
    scaling = (MEAN * one, SPREAD * one, MEAN * one, SPREAD * one)
    return ModelArrays(*scaling, np.ones(shape, bool), static=field)


def batch(
    cells: tuple[int, int], n: int = 4, *, frames: int | None = None, noise: float = 0.0
) -> Batch:
    """`n` random coarse fields, or windows of frames; the truth repeats them, with noise in K."""
    lead = (n,) if frames is None else (n, frames)
    rng = np.random.default_rng(0)
    coarse = rng.normal(MEAN, SPREAD, (*lead, *cells, 1)).astype("float32")
    truth = coarse.repeat(SCALE, axis=-3).repeat(SCALE, axis=-2)
    truth += rng.normal(0, noise, truth.shape).astype("float32")
    time = np.zeros((*lead, 8), "float32")
    return {"coarse": coarse, "time": time, "hr": truth, "weight": np.ones(n, "float32")}


def trainer_of(
    kind: Callable[..., Trained], model: FittedModel, ranks: Ranks | None = None, **options: Any
) -> Trained:
    """A trainer of one network, or of two, with a range of the data of 6 K."""
    return kind(
        model,
        TrainingConfig(**options),
        Communicator(ranks or Ranks()),
        steps_per_epoch=10,
        data_range=np.array([6.0]),
    )


def assert_goes_on_bit_for_bit(
    whole: Any, resumed: Any, batch: Batch
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Three steps, the state handed over, three more of both; the states before and after them."""
    for _ in range(3):
        whole.train_step(batch)
    before = capture(whole, whole.communicator)
    restore(resumed, before, Ranks())
    for trained in (whole, resumed):
        for _ in range(3):
            trained.train_step(batch)
    after, theirs = (capture(trained, trained.communicator) for trained in (whole, resumed))
    assert after.keys() == theirs.keys()
    for name, values in after.items():
        np.testing.assert_array_equal(values, theirs[name], err_msg=name)
    assert whole.epoch_losses() == resumed.epoch_losses()
    return before, after


def experiment(trainer: str, *flags: str) -> Experiment:
    """An experiment on synthetic temperatures."""
    words = ["train", "--data=synthetic", "--variable=t2m", f"--trainer={trainer}"]
    return build(*parse([*words, *flags]))


def assert_refused_in_one_line(trainer: str, *flags: str) -> None:
    """The first flag is named in one line."""
    with pytest.raises(InputError, match=flags[0].partition("=")[0]) as caught:
        experiment(trainer, *flags)
    assert "\n" not in str(caught.value)
