"""What samples move scores of whole series by: against differences, theory and repetition."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.stats import norm, wasserstein_distance
from subjects import START, fed, subject_of

from app.metrics.bootstrap import TimeBlocks, block_length, resampled_sums
from app.metrics.climatic.change import Change
from app.metrics.climatic.climate_indices import ClimateIndices
from app.metrics.climatic.distribution import ValueDistribution
from app.metrics.climatic.extremes import Extremes
from app.metrics.climatic.years import YearToYear, slope, slope_influence, spread_influence
from app.metrics.confidence import confidence_of
from app.metrics.deterministic.correlation import Correlation
from app.metrics.deterministic.efficiency import Efficiency
from app.metrics.deterministic.errors import Errors
from app.metrics.influence import (
    expanded,
    quantiles_moved,
    ratio_influence,
    transported,
)
from app.metrics.pairs import Paired
from app.metrics.probabilistic.ensemble import Ensemble, deviation_from_flat
from app.metrics.probabilistic.probability import Parts, Probability
from app.metrics.spatial.dependence import Dependence
from app.metrics.spatial.season_spectra import SeasonSpectra
from app.metrics.temporal.autocorrelation import Autocorrelation
from app.metrics.temporal.cycles import Cycles
from app.metrics.temporal.spells import Spells
from app.options.scoring import ScoringConfig, Threshold

RNG = np.random.default_rng(17)
ONE = np.ones((1, 1))


def cell(values):
    """A series as that of one cell (n, 1, 1)."""
    return np.asarray(values, np.float64)[:, None, None]


def differences(score, n):
    """By how much a score of n samples moves with each of them twice, and left out, times n / 2."""
    rows = np.arange(n)
    twice = np.array([score(np.append(rows, t)) for t in range(n)])
    without = np.array([score(np.delete(rows, t)) for t in range(n)])
    return n / 2 * (twice - without)


def assert_alike(found, expected):
    """To first order: on one line through the origin with a slope of 1."""
    found, expected = found - found.mean(), expected - expected.mean()
    assert np.corrcoef(found, expected)[0, 1] > 0.995
    assert found @ expected / (expected @ expected) == pytest.approx(1, abs=0.03)


def test_ratios_correlations_spreads_and_slopes_move_as_their_differences_say():
    n = 300
    x = RNG.gamma(2.0, 1.0, n)
    y = 0.6 * x + RNG.gamma(1.0, 1.0, n)
    event, held = x > 3, y > 1.5
    assert_alike(
        ratio_influence(cell(event), cell(held), ONE),
        differences(lambda rows: event[rows].sum() / held[rows].sum(), n),
    )
    pair = Paired.of(cell(x), cell(y))
    assert_alike(
        pair.correlation_moved(pair.correlation, ONE),
        differences(lambda rows: np.corrcoef(x[rows], y[rows])[0, 1], n),
    )
    spread = np.full((1, 1), x.std())
    assert_alike(spread_influence(cell(x), spread, ONE), differences(lambda rows: x[rows].std(), n))
    years = np.arange(n, dtype=float)
    trend = slope(years, cell(y))
    assert_alike(
        slope_influence(years, cell(y), trend, ONE),
        differences(lambda rows: np.polyfit(rows, y[rows], 1)[0], n),
    )


def test_correlations_over_time_move_as_those_of_pairs_do():
    truth, model = 280 + RNG.normal(size=(2, 60, 3, 4))
    model += 0.5 * truth
    truth[:9, 1, 2] = np.nan
    truth[:, 2, 3] = 280.0  # does not vary
    area = np.arange(1.0, 13).reshape(3, 4)
    metric = Correlation(subject_of(truth, area=area))
    fed([metric], truth, model[None])
    pair = Paired.of(truth, np.where(np.isfinite(truth), model, np.nan))
    expected = pair.correlation_moved(pair.correlation, area)
    blocks = metric.blocks.moved(expected)
    np.testing.assert_allclose(metric.moved[0], blocks, rtol=1e-7, atol=1e-7)
    assert metric.areas[0] == pytest.approx(area.sum() - 12)
    row = next(row for row in metric.rows(None) if row.metric == "pearson_time")
    assert row.sampled.values[0] == pytest.approx(
        np.average(
            np.nan_to_num(pair.correlation),
            weights=np.where(np.isfinite(pair.correlation), area, 0),
        )
    )


@pytest.mark.parametrize("kind", ["ratio", "interval"])
def test_the_kling_gupta_efficiency_moves_as_its_differences_say(kind):
    """By the formulas of Gupta et al. (2009) and Tang et al. (2021)."""
    n = 300
    x = RNG.gamma(2.0, 1.0, n)
    y = 0.5 * x + RNG.gamma(1.0, 1.0, n)

    def efficiency(rows):
        a, b = x[rows], y[rows]
        bias = b.mean() / a.mean() - 1 if kind == "ratio" else (b.mean() - a.mean()) / a.std()
        r, spread = np.corrcoef(a, b)[0, 1], b.std() / a.std()
        return 1 - np.sqrt((r - 1) ** 2 + (spread - 1) ** 2 + bias**2)

    metric = Efficiency(subject_of(cell(x), kind=kind))
    value, moved = metric._efficiency(cell(y), cell(x), ONE)
    assert value[0, 0] == pytest.approx(efficiency(np.arange(n)))
    assert_alike(moved, differences(efficiency, n))


def test_wasserstein_distances_move_as_their_differences_say():
    n = 200
    x, y = RNG.normal(0, 1, n), RNG.normal(0.3, 1.5, n)
    x[:3], y[:3] = np.nan, np.nan
    moved = transported(x[:, None], y[:, None])[:, 0]
    known = np.arange(3, n)
    assert not moved[:3].any()

    def distance(rows):
        return wasserstein_distance(x[3:][rows], y[3:][rows])

    assert_alike(moved[known] * len(known) / n, differences(distance, len(known)))


def test_quantiles_move_as_their_density_says():
    """(share - [x ≤ quantile]) over the density there, known of a normal distribution."""
    n, shares = 4000, (0.1, 0.5, 0.95)
    x = RNG.normal(size=(n, 3, 3))
    values, moved = quantiles_moved(x, shares, np.ones((3, 3)), lambda q: np.quantile(x, q, axis=0))
    np.testing.assert_allclose(values, np.quantile(x, shares, axis=0))
    for share, value, own in zip(shares, values, moved, strict=True):
        theory = (share - (x <= value)).sum(axis=(1, 2)) / norm.pdf(norm.ppf(share))
        assert own @ theory / (theory @ theory) == pytest.approx(1, abs=0.1)
    few = quantiles_moved(x[:200], (0.99,), np.ones((3, 3)), lambda q: np.quantile(x, q, axis=0))
    assert np.isnan(few[1]).all()


def test_parts_of_the_brier_score_move_as_their_differences_say():
    n = 250
    votes = RNG.integers(0, 5, n)
    event = (RNG.random(n) < 0.1 + 0.15 * votes).astype(int)

    def counts(rows):
        blocks = np.zeros((5, 2, n))
        np.add.at(blocks, (votes[rows], event[rows], rows), 1.0)
        return Parts(blocks)

    whole = counts(np.arange(n))
    for name in Parts.ROWS:
        attribute = name.removeprefix("brier_")
        found = differences(lambda rows, a=attribute: getattr(counts(rows), a), n)
        own = whole.influence(attribute)
        assert own.mean() == pytest.approx(0, abs=1e-12)
        np.testing.assert_allclose(own, found, atol=0.05 * np.abs(found).max(), err_msg=name)


def test_rank_histograms_move_as_their_differences_say():
    n = 200
    ranks = RNG.choice(4, n, p=(0.5, 0.25, 0.15, 0.1))
    blocks = np.zeros((4, n))
    blocks[ranks, np.arange(n)] = 1.0

    def index(rows):
        shares = np.bincount(ranks[rows], minlength=4) / len(rows)
        return 100 * np.abs(shares - 0.25).sum()

    made = deviation_from_flat(("model",), blocks, 1)
    assert made.values[0] == pytest.approx(index(np.arange(n)))
    assert_alike(made.sums[0], differences(index, n))


def test_blocks_hold_what_their_samples_move():
    times = START + np.arange(20) * np.timedelta64(1, "D")
    blocks = TimeBlocks.of(times)
    influence = RNG.normal(size=20)
    moved = blocks.moved(influence)
    assert blocks.count == 3
    np.testing.assert_allclose(moved * 20 / 3, [influence[i : i + 7].sum() for i in (0, 7, 14)])
    made = expanded(("model",), np.array([2.0]), moved[None], span=blocks.span)
    assert made.values[0] == pytest.approx(2.0)
    seasons = TimeBlocks.of(times, np.repeat([0, 1], (10, 10)))
    np.testing.assert_array_equal(seasons.place, np.repeat([0, 1, 2, 3], (7, 3, 4, 6)))
    years = TimeBlocks.of_groups(np.repeat([2000, 2001], (12, 8)))
    assert (years.count, years.span) == (2, 10)


def weather(rng, n, lasting=0.5, shape=(5, 6)):
    """Fields (n, y, x) of unit variance, alike from cell to cell and from day to day."""
    drawn = gaussian_filter(rng.normal(size=(n, *shape)), (0, 0.8, 0.8))
    drawn /= drawn.std()
    fields = np.empty_like(drawn)
    fields[0] = drawn[0]
    for t in range(1, n):
        fields[t] = lasting * fields[t - 1] + np.sqrt(1 - lasting**2) * drawn[t]
    return fields


def rows_of(kinds, truth, fields, layers=None, *, units="K", **about):
    """Rows by name."""
    n = len(truth)
    about = {"scoring": ScoringConfig(thresholds=(Threshold(80.0, local=True),)), **about}
    subject = subject_of(
        truth,
        consecutive=np.ones(n - 1, bool),
        members=0 if layers is None else len(layers),
        **about,
    )
    subject = replace(subject, variable=replace(subject.variable, units=units))
    metrics = [Errors(subject), *(kind(subject) for kind in kinds)]
    fed(metrics, truth, fields, layers)
    return {row.metric: row for metric in metrics for row in metric.rows(metrics[0])}, subject


def deviation(row, subject):
    """Standard deviation of resamples of the model's score."""
    made = row.sampled
    length = max(1, block_length(subject.times) // made.span)
    return made.of(resampled_sums(made.sums.T, length))[:, 0].std()


def assert_intervals_have_the_width_of_repetitions(draw, kinds, names, repetitions, low, high):
    """Scores of periods drawn again and again spread as resamples of each of them say."""
    scores, widths = [], []
    for number in range(repetitions):
        rows, subject = draw(np.random.default_rng((5, number)), kinds)
        scores.append([rows[name].values["model"][0] for name in names])
        widths.append([deviation(rows[name], subject) for name in names])
    ratio = np.mean(widths, axis=0) / np.std(scores, axis=0)
    wrong = {n: round(float(r), 2) for n, r in zip(names, ratio, strict=True) if not low < r < high}
    assert not wrong


def test_scores_of_series_spread_as_their_intervals_say():
    def draw(rng, kinds):
        truth = weather(rng, 310)
        model = 0.7 * truth + 0.8 * weather(rng, 310) + 0.4
        return rows_of(kinds, truth, model[None])

    kinds = (Efficiency, ValueDistribution, Extremes, Spells, Autocorrelation, Dependence)
    kinds += (Correlation,)
    names = (
        "pearson_time",
        *("kge", "quantile_p10_bias", "quantile_p90_bias", "wasserstein", "wasserstein_cells"),
        *("p99_bias", "spell_stays_p80_bias", "spell_begins_p80_bias", "spell_length_p80_bias"),
        *("autocorrelation_1_bias", "tail_dependence_1_bias", "correlation_length_ratio"),
    )
    assert_intervals_have_the_width_of_repetitions(draw, kinds, names, 20, 0.55, 1.7)


def test_scores_of_ensembles_spread_as_their_intervals_say():
    def draw(rng, kinds):
        truth, shared = weather(rng, 250), weather(rng, 250)
        members = np.stack([0.5 * truth + 0.4 * shared + 0.5 * weather(rng, 250) for _ in range(4)])
        return rows_of(kinds, truth, members.mean(axis=0)[None], members + 0.3)

    names = (
        *("reliability_index", "brier_reliability_p80", "brier_resolution_p80", "roc_area_p80"),
        *("brier_miscalibration_p80", "brier_discrimination_p80"),
    )
    kinds = (Ensemble, Probability)
    assert_intervals_have_the_width_of_repetitions(draw, kinds, names, 30, 0.5, 1.6)


def test_scores_of_years_and_cycles_spread_as_their_intervals_say():
    def draw(rng, kinds):
        n = 12 * 30
        year = 10 * np.cos(2 * np.pi * np.arange(n) / 12)[:, None, None]
        truth = 15 + year + 5 * weather(rng, n, 0.0, (3, 4))
        model = 16 + 1.1 * year + 5 * weather(rng, n, 0.0, (3, 4))
        return rows_of(kinds, truth, model[None], days=365.25 / 12)

    names = ("interannual_std_bias", "trend_bias", "annual_amplitude_ratio", "annual_phase_shift")
    assert_intervals_have_the_width_of_repetitions(draw, (YearToYear, Cycles), names, 16, 0.5, 1.8)


def test_changes_spread_as_their_intervals_say():
    """Between ten years and ten others, of which each is a block."""

    def draw(rng, kinds):
        n = 20 * 365
        year = 8 * np.cos(2 * np.pi * np.arange(n) / 365)[:, None, None]
        own = rng.normal(size=20).repeat(365)[:, None, None]  # what a year has of its own
        truth = 15 + year + own + 4 * weather(rng, n, 0.5, (2, 2))
        model = 15 + 1.1 * year + 0.5 * own + 4 * weather(rng, n, 0.5, (2, 2))
        scoring = ScoringConfig(
            change_periods=((2001, 2010), (2011, 2020)), thresholds=(Threshold(22.0),)
        )
        return rows_of(kinds, truth, model[None], scoring=scoring, units="degC")

    names = [
        f"change_{name}_bias"
        for name in ("mean", "std", "p95", "interannual_std", "txx", "su", "return_10")
    ]
    names.append("change_spell_length_22_bias")
    assert_intervals_have_the_width_of_repetitions(draw, (Change,), names, 10, 0.4, 2.0)


def test_every_score_of_a_kind_has_its_interval_and_candidates_are_compared():
    n = 5 * 365
    truth = 20 + 8 * weather(RNG, n, 0.5, (4, 5))
    fields = np.stack([truth + 3 * weather(RNG, n, 0.5, (4, 5)), truth + 6.0])
    subject = subject_of(truth, ("model", "bicubic"), consecutive=np.ones(n - 1, bool))
    kinds = (Efficiency, ValueDistribution, Extremes, Spells, Autocorrelation, SeasonSpectra)
    kinds += (YearToYear, Dependence, Cycles, ClimateIndices)
    metrics = [Errors(subject), *(kind(subject) for kind in kinds)]
    fed(metrics, truth, fields)
    rows = [row for metric in metrics for row in metric.rows(metrics[0])]
    # two of 1825 samples lie beyond: too few
    assert [row.metric for row in rows if row.sampled is None] == ["quantile_p99.9_bias"]
    found = {row.metric: row.values["model"][0] for row in confidence_of(rows, subject).rows}
    for row in (row for row in rows if row.sampled is not None):
        low, value, high = (found[f"{row.metric}{end}"] for end in ("_low", "", "_high"))
        assert low <= value <= high or np.isnan([low, value, high]).all(), row.metric
    compared = confidence_of(rows, subject).comparisons
    kge = next(one for one in compared if one.metric == "kge")
    assert kge.conclusion == "better"
