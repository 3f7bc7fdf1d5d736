"""Baselines that several ranks fit: each once, and the same on all of them."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from memory_shards import perfect_prog

from app.baselines.catalogue import makers_of
from app.baselines.together import fitted_together
from app.data.description import Variable
from app.distributed.exchange import Exchange
from app.ranks import Ranks

RANKS = 3
ROWS = np.arange(4)


class Open:
    """A baseline of the user's that cannot be handed over."""

    name = "open"

    def __init__(self, level: float) -> None:
        self.predict = lambda indices, split: np.full(len(indices), level)


def on_all_ranks(folder, shards, makers):
    """Baselines of every rank, threads here, and how often each maker was called."""
    calls: Counter[int] = Counter()

    def counted(number, make):
        def call():
            calls[number] += 1
            return make()

        return call

    own = [counted(number, make) for number, make in enumerate(makers)]

    def fit(rank):
        return fitted_together(own, shards, Exchange(Ranks(rank, RANKS), folder))

    with ThreadPoolExecutor(RANKS) as pool:
        return list(pool.map(fit, range(RANKS))), calls


def test_each_baseline_is_fitted_once_and_the_same_on_every_rank(tmp_path):
    rain = np.random.default_rng(8).gamma(0.7, 2.0, (90, 8, 10, 1))
    kind = Variable("pr", "pr", units="mm day-1", kind="ratio", valid_min=0.0)
    shards = perfect_prog(rain, variables=(kind,))
    makers = makers_of(shards)
    alone = fitted_together(makers, shards, Exchange())
    together, calls = on_all_ranks(tmp_path / "shared", shards, makers)
    assert {"linear", "climatology", "quantile_mapping", "bcsd"} <= {b.name for b in alone}
    assert calls == dict.fromkeys(range(len(makers)), 1)
    for found in together:
        assert [one.name for one in found] == [one.name for one in alone]
        for one, other in zip(found, alone, strict=True):
            np.testing.assert_array_equal(one.predict(ROWS, "test"), other.predict(ROWS, "test"))


def test_what_cannot_be_handed_over_is_fitted_on_every_rank(tmp_path):
    shards = perfect_prog(np.random.default_rng(8).normal(280, 5, (40, 4, 4, 1)))
    makers = [lambda: Open(3.0), *makers_of(shards, ("bilinear",))]
    together, calls = on_all_ranks(tmp_path / "shared", shards, makers)
    assert calls == {0: RANKS, 1: 1}
    for opened, bilinear in together:
        assert opened.predict(ROWS, "test") == pytest.approx(np.full(len(ROWS), 3.0))
        assert bilinear.predict(ROWS, "test").shape == (4, 4, 4, 1)
