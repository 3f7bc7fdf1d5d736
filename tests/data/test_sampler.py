import itertools

import numpy as np
import pytest

from app.data.streaming.sampler import Sampler

AWKWARD = list(itertools.product([1, 2, 7, 31, 100], [1, 2, 3, 5], [1, 4, 32]))


def drawn(n, size, batch, **options):
    """All ranks' real samples, and the number of steps of each."""
    samplers = [Sampler(n, 3, 1, rank, size, batch, **options) for rank in range(size)]
    seen = []
    for sampler in samplers:
        for step in range(sampler.steps):
            indices, weights = sampler.batch(step)
            assert indices.shape == weights.shape == (batch,)
            assert (indices[weights == 0] == 0).all()
            seen += indices[weights == 1].tolist()
    return seen, {sampler.steps for sampler in samplers}


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_sample_exactly_once_and_equal_steps(shuffle):
    for n, size, batch in AWKWARD:
        seen, steps = drawn(n, size, batch, shuffle=shuffle)
        assert sorted(seen) == list(range(n)), (n, size, batch)
        assert len(steps) == 1


def test_ranks_share_the_global_batch_of_one_rank():
    one = Sampler(50, 1, 2, 0, 1, 12)
    three = [Sampler(50, 1, 2, rank, 3, 4) for rank in range(3)]
    for step in range(one.steps):
        indices, weights = one.batch(step)
        parts = [sampler.batch(step) for sampler in three]
        together = np.concatenate([i[w == 1] for i, w in parts])
        assert sorted(together) == sorted(indices[weights == 1])
        offsets = one.offsets(step, (5, 9))
        for rank, sampler in enumerate(three):
            np.testing.assert_array_equal(sampler.offsets(step, (5, 9)), offsets[rank::3])


def test_a_step_can_be_entered_again():
    first, again = (Sampler(100, 5, 7, batch_size=8) for _ in range(2))
    for step in range(4):
        first.batch(step)
    np.testing.assert_array_equal(first.batch(9)[0], again.batch(9)[0])
    np.testing.assert_array_equal(first.offsets(9, (3, 3)), again.offsets(9, (3, 3)))


OTHER_RANKS = [((2, 4), (3, 4)), ((3, 4), (2, 5)), ((2, 4), (1, 32))]


@pytest.mark.parametrize(("before", "after"), OTHER_RANKS)
def test_other_ranks_get_exactly_the_samples_left(before, after):
    (size, batch), (new_size, new_batch) = before, after
    n, steps = 101, 3
    behind = []
    for rank in range(size):
        sampler = Sampler(n, 3, 1, rank, size, batch)
        behind += [i for step in range(steps) for i in sampler.batch(step)[0]]
    start = steps * size * batch
    left, counts = drawn(n, new_size, new_batch, start=start)
    assert len(counts) == 1
    assert len(left) == n - start
    assert sorted(behind + left) == list(range(n))


def test_entered_at_a_sample_as_at_its_step():
    whole, later = Sampler(100, 5, 7, batch_size=8), Sampler(100, 5, 7, batch_size=8, start=24)
    np.testing.assert_array_equal(whole.batch(5)[0], later.batch(2)[0])
    np.testing.assert_array_equal(whole.offsets(5, (9, 9)), later.offsets(2, (9, 9)))
    assert (whole.steps, later.steps) == (13, 10)


def test_nothing_left():
    assert Sampler(7, batch_size=2, start=7).steps == 0


def test_seed_and_epoch_change_the_order():
    orders = [Sampler(100, s, e, batch_size=100).batch(0)[0] for s, e in [(0, 0), (0, 1), (1, 0)]]
    assert not (orders[0] == orders[1]).all()
    assert not (orders[0] == orders[2]).all()


def test_without_shuffling_in_order():
    assert Sampler(5, batch_size=3, shuffle=False).batch(1)[0].tolist() == [3, 4, 0]


def test_offsets_reach_every_place_and_no_further():
    sampler = Sampler(10, batch_size=64)
    drawn_offsets = np.concatenate([sampler.offsets(step, (2, 3)) for step in range(20)])
    assert {tuple(o) for o in drawn_offsets} == {(r, c) for r in range(2) for c in range(3)}


@pytest.mark.parametrize(
    "wrong", [{"n": 0}, {"batch_size": 0}, {"rank": 2, "size": 2}, {"start": 4}]
)
def test_impossible_numbers(wrong):
    with pytest.raises(ValueError, match="expected n ≥ 1"):
        Sampler(**{"n": 3, **wrong})
