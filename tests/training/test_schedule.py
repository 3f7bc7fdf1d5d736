"""Learning rates worked out by hand."""

import math

import pytest

from app.options import TrainingConfig
from app.training.schedule import Schedule, learning_rate


def rates(config: TrainingConfig, steps: list[int], size: int = 1) -> list[float]:
    schedule = learning_rate(config, Schedule(steps_per_epoch=10, size=size))
    return [float(schedule(step)) for step in steps]


def test_one_rate_is_constant() -> None:
    config = TrainingConfig(learning_rate=(0.01,))
    assert rates(config, [0, 5, 10**6]) == pytest.approx([0.01] * 3)


def test_second_rate_applies_after_the_named_step() -> None:
    config = TrainingConfig(learning_rate=(0.01, 0.001), lr_decay_after=4)
    assert rates(config, [3, 4, 5]) == pytest.approx([0.01, 0.001, 0.001])


def test_ranks_multiply_the_rate_after_one_epoch_of_warm_up() -> None:
    config = TrainingConfig(learning_rate=(0.01,))
    assert rates(config, [0, 4, 9, 10], size=4) == pytest.approx([0.004, 0.02, 0.04, 0.04])


def test_scaling_and_warm_up_can_be_left_out() -> None:
    config = TrainingConfig(learning_rate=(0.01,), lr_scaling=False)
    assert rates(config, [0, 9], size=4) == pytest.approx([0.01, 0.01])
    config = TrainingConfig(learning_rate=(0.01,), warmup_steps=0)
    assert rates(config, [0], size=4) == pytest.approx([0.04])


def test_cosine_falls_to_zero_over_all_steps() -> None:
    config = TrainingConfig(learning_rate=(0.02,), lr_schedule="cosine", epochs=10)
    assert rates(config, [0, 50, 100]) == pytest.approx([0.02, 0.01, 0.0], abs=1e-8)


def test_epochs_trained_before_count_for_every_schedule() -> None:
    """Three epochs of ten steps are behind: the optimiser's step 0 is the schedule's step 30."""
    config = TrainingConfig(learning_rate=(0.02,), lr_schedule="cosine", epochs=10)
    later = TrainingConfig(
        learning_rate=(0.02,), lr_schedule="cosine", epochs=10, trained_epochs=3, warmup_steps=40
    )
    assert rates(later, [20, 70]) == pytest.approx([0.01, 0.0], abs=1e-8)
    assert rates(later, [0])[0] == pytest.approx(rates(config, [30])[0] * 31 / 40)
    two = TrainingConfig(learning_rate=(0.01, 0.001), lr_decay_after=35, trained_epochs=3)
    assert rates(two, [4, 5]) == pytest.approx([0.01, 0.001])


def test_a_plan_of_time_ends_the_cosine_after_its_steps() -> None:
    """Planned anew at step 30, with half of the schedule behind and 20 steps to go."""
    config = TrainingConfig(learning_rate=(0.02,), lr_schedule="cosine", time_budget=60.0)
    schedule = Schedule(steps_per_epoch=10)
    schedule.plan.assign([0.0, 0.0, 60.0])
    rate = learning_rate(config, schedule)
    assert [float(rate(step)) for step in (0, 30)] == pytest.approx([0.02, 0.01])
    schedule.plan.assign([30.0, 0.5, 20.0])
    found = [float(rate(step)) for step in (30, 40, 50, 55)]
    expected = [0.01, 0.02 * 0.5 * (1 + math.cos(0.75 * math.pi)), 0.0, 0.0]
    assert found == pytest.approx(expected, abs=1e-8)


def test_a_run_that_ends_by_time_warms_up_within_its_first_tenth() -> None:
    config = TrainingConfig(learning_rate=(0.02,), time_budget=60.0, warmup_steps=1000)
    schedule = Schedule(steps_per_epoch=10)
    schedule.plan.assign([0.0, 0.0, 100.0])
    rate = learning_rate(config, schedule)
    assert [float(rate(step)) for step in (4, 9, 50)] == pytest.approx([0.01, 0.02, 0.02])
