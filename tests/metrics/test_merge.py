"""Sums of parts of the samples, added up, are those of all samples."""

import csv
import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from memory_shards import perfect_prog
from subjects import NAMES, subject_of

from app.data.description import Variable
from app.data.wet import WetLimit
from app.distributed.exchange import Exchange
from app.errors import InputError
from app.metrics.catalogue import metrics_of
from app.metrics.climate import Climate
from app.metrics.contest import Scored, _refuse_unshared
from app.metrics.evaluate import evaluate
from app.metrics.metric import Band, Block, Metric
from app.metrics.regions import Regions
from app.options.scoring import ScoringConfig
from app.ranks import Ranks
from app.registry import REGISTRY

SAMPLES, ROWS, COLUMNS, LAYERS = 40, 12, 14, 3


def rows_of(subject, truth, fields, layers, ranks: int):
    """Rows of the table where each rank takes every so-manieth sample and row of the grid."""
    shares = [metrics_of(subject) for _ in range(ranks)]
    other = replace(subject, variable=replace(subject.variable, name="q"), companions=())
    for rank, metrics in enumerate(shares):
        samples, rows = np.arange(rank, SAMPLES, ranks), np.arange(rank, ROWS, ranks)
        block = Block(subject, samples, truth[samples], fields[:, samples], layers[:, samples])
        band = Band(subject, rows, truth[:, rows], fields[:, :, rows], layers[:, :, rows])
        for metric in metrics:
            metric.add(block)
            metric.add_series(band)
            metric.add_together(band, [replace(band, subject=other, truth=fields[1][:, rows])])
    whole, *rest = shares
    for metrics in rest:
        for metric, other in zip(whole, metrics, strict=True):
            metric.merge(pickle.loads(pickle.dumps(other)))
    return [row for metric in whole for row in metric.rows(whole[0])], whole


@pytest.mark.parametrize("kind", ["members", "quantiles"])
def test_however_many_ranks_share_the_work(kind: str) -> None:
    rng = np.random.default_rng(5)
    truth = rng.gamma(1.0, 3.0, (SAMPLES, ROWS, COLUMNS))
    truth[3:9, 4] = np.nan
    layers = np.sort(rng.gamma(1.0, 3.0, (LAYERS, *truth.shape)), axis=0)
    fields = np.stack([layers.mean(axis=0), *rng.gamma(1.0, 3.0, (2, *truth.shape))])
    own = {"members": LAYERS} if kind == "members" else {"quantiles": (0.1, 0.5, 0.9)}
    subject = subject_of(
        truth,
        NAMES,
        kind="ratio",
        wet=WetLimit(1.0, None),
        climate=Climate(0.0, 20.0, (15.0, 18.0)),
        consecutive=np.ones(SAMPLES - 1, bool),
        scoring=ScoringConfig(
            scores=("all", "cordex_ml_bench", "dl4ds"),
            change_periods=((2001, 2005), (2006, 2010)),
        ),
        scale=2,
        companions=("q",),
        regions=Regions({"corner": np.tri(ROWS, COLUMNS, dtype=bool)}),
        **own,
    )
    subject = replace(subject, variable=replace(subject.variable, units="mm day-1"))
    years = np.arange("2001", "2011", dtype="datetime64[Y]").astype("datetime64[D]")
    days = np.concatenate([years[0] + np.arange(22), (years[1:, None] + np.arange(2)).ravel()])
    subject = replace(subject, times=days.astype("datetime64[ns]"))
    alone, metrics = rows_of(subject, truth, fields, layers, ranks=1)
    shared, merged = rows_of(subject, truth, fields, layers, ranks=4)
    of_members = {type(m) for m in metrics_of(replace(subject, members=LAYERS, quantiles=()))}
    of_quantiles = {type(m) for m in metrics_of(replace(subject, members=0, quantiles=(0.5,)))}
    every = {REGISTRY.resolve("metric", name) for name in REGISTRY.names("metric")}
    assert of_members | of_quantiles == every
    assert [row.metric for row in shared] == [row.metric for row in alone]
    for one, other in zip(alone, shared, strict=True):
        for name, pair in one.values.items():
            assert other.values[name] == pytest.approx(pair, rel=1e-9, nan_ok=True), one.metric
    for one, other in zip(metrics, merged, strict=True):
        for name, sheet in one.tables().items():
            for found, row in zip(other.tables()[name].rows, sheet.rows, strict=True):
                numbers = [(f, v) for f, v in zip(found, row, strict=True) if isinstance(v, float)]
                assert [f for f, _ in numbers] == pytest.approx(
                    [v for _, v in numbers], rel=1e-9, nan_ok=True
                )


def summary(folder) -> dict[str, list[str]]:
    with (folder / "summary.csv").open() as file:
        return {line[0]: line[1:] for line in csv.reader(file)}


def assert_same_numbers(one: dict[str, list[str]], other: dict[str, list[str]]) -> None:
    assert list(one) == list(other)
    for name, cells in list(one.items())[1:]:
        numbers = [float(cell) if cell else np.nan for cell in cells]
        again = [float(cell) if cell else np.nan for cell in other[name]]
        assert again == pytest.approx(numbers, rel=1e-9, abs=1e-11, nan_ok=True), name


@pytest.mark.parametrize("ranks", [2, 5])
def test_ranks_that_share_a_folder_write_the_summary_of_one(tmp_path, ranks: int) -> None:
    """Rain with ties among members and missing cells; ranks are threads here."""
    rng = np.random.default_rng(3)
    truth = rng.gamma(0.5, 3.0, (150, 9, 8, 1)).round(0)
    truth[20:33, 2, 3] = np.nan
    shards = perfect_prog(truth, variables=(Variable("pr", "pr", units="mm day-1", kind="ratio"),))
    rain = shards.read("hr", "test", np.arange(shards.size("test")))[..., 0]
    members = np.maximum(rain + rng.normal(0, 2, (3, *rain.shape)), 0).round(0)
    grid = shards.geometry.fine
    coordinates = {"time": shards.times("test"), "lat": grid.lat, "lon": grid.lon}
    prediction = xr.Dataset({"pr": (("member", "time", "lat", "lon"), members)}, coordinates)

    def score(rank: int, size: int, name: str):
        exchange = Exchange(Ranks(rank, size), tmp_path / "shared" if size > 1 else None)
        out = tmp_path / name / str(rank)
        options = {"candidates": ("bilinear", "climatology"), "exchange": exchange}
        options["scoring"] = ScoringConfig(scores=("all", "dl4ds"))
        return evaluate(shards, prediction.copy(), out, **options)

    assert score(0, 1, "alone") is not None
    with ThreadPoolExecutor(ranks) as pool:
        first, *others = pool.map(lambda rank: score(rank, ranks, "together"), range(ranks))
    assert first is not None
    assert others == [None] * (ranks - 1)
    assert_same_numbers(summary(tmp_path / "alone" / "0"), summary(tmp_path / "together" / "0"))
    for name in ("samples", "gridpoint"):
        one = xr.load_dataset(tmp_path / "alone" / "0" / f"{name}.nc")
        other = xr.load_dataset(tmp_path / "together" / "0" / f"{name}.nc")
        xr.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


class Largest(Metric):
    """The largest value of the truth, which does not add up."""

    def __init__(self, subject) -> None:
        super().__init__(subject)
        self.largest = -np.inf

    def add(self, block: Block) -> None:
        self.largest = max(self.largest, block.truth.max())

    def merge(self, other) -> None:
        self.largest = max(self.largest, other.largest)


def test_a_metric_may_merge_otherwise_than_by_adding() -> None:
    truth = np.arange(4.0)[:, None, None] * np.ones((4, 2, 2))
    subject = subject_of(truth, NAMES)
    first, second = Largest(subject), Largest(subject)
    first.add(Block(subject, np.arange(2), truth[:2], truth[None, :2]))
    second.add(Block(subject, np.arange(2, 4), truth[2:], truth[None, 2:]))
    first.merge(pickle.loads(pickle.dumps(second)))
    assert first.largest == 3
    _refuse_unshared([Scored(0, [0], subject, (first,), "")])


def test_a_metric_that_does_not_name_its_sums_is_not_shared() -> None:
    class Forgetful(Metric):
        def add(self, block: Block) -> None:
            self.seen = block.indices

    subject = subject_of(np.zeros((4, 2, 2)), NAMES)
    scored = Scored(0, [0], subject, (Forgetful(subject),), "")
    with pytest.raises(InputError, match=r"metric Forgetful .* several ranks cannot share it"):
        _refuse_unshared([scored])
