"""Runs beside each other: the best is marked where intervals say so, and baselines are there."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from made_runs import made_run, made_shards

from app.errors import InputError
from app.main import main
from app.metrics.paired import Difference
from app.metrics.table import MODEL
from app.metrics.verdict.estimate import Estimate
from app.report.page.comparison import (
    best_of,
    comparison_page,
    facts_of,
    titles,
    told_apart,
)
from app.report.page.tables import COLUMNS

RMSE = next(column for column in COLUMNS if column.metric == "rmse")
DETAIL = next(column for column in COLUMNS if column.metric == "detail_ratio")


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Path]:
    """Errors of 0.1, 0.11 and, on the same samples but of another seed, 0.1 again."""
    folder, shards = tmp_path_factory.mktemp("compared"), made_shards()
    for name, error, seed in (("fine", 0.1, 1), ("coarse", 0.11, 2), ("twin", 0.1, 3)):
        made_run(folder / name, error, shards=shards, seed=seed)
    return [folder / name for name in ("fine", "coarse", "twin")]


def rows_of(html: str) -> dict[str, str]:
    """Lines of the first table by their names."""
    body = html.partition("<tbody>")[2].partition("</tbody>")[0]
    parts = [row.partition("</th>") for row in body.split("<tr")[1:]]
    return {head.rpartition(">")[2]: cells for head, _, cells in parts}


def test_the_best_is_marked_where_it_is_told_apart(runs):
    facts = facts_of(runs[:2])
    rows = rows_of(comparison_page(facts, [None, None], ["", ""]))
    assert list(rows) == ["fine", "coarse", "linear regression", "bicubic"]
    first = rows["fine"].split("<td")[1]
    assert "best" in first
    assert "★" in first
    assert "best" not in rows["coarse"].split("<td")[1]


def test_none_is_marked_where_two_are_alike(runs):
    html = comparison_page(facts_of([runs[0], runs[2]]), [None, None], ["", ""])
    rows = rows_of(html)
    assert "★" not in rows["fine"].split("<td")[1] + rows["twin"].split("<td")[1]
    assert "fine and twin are not to be told apart: RMSE" in html


class Source:
    """A run or baseline with one score."""

    def __init__(self, name: str, value: float, low: float, high: float, own: bool = True) -> None:
        self.name, self.candidate = name, MODEL if own else "linear"
        self._score = Estimate(value, low, high)

    def score(self, metric, predictand):
        return self._score


PREDICTAND = type("Named", (), {"label": ""})()


@pytest.mark.parametrize(
    ("column", "sources", "best"),
    [
        (RMSE, [("a", 1.0, 0.9, 1.1), ("b", 2.0, 1.8, 2.2)], "a"),
        (RMSE, [("a", 1.0, 0.9, 1.1), ("b", 1.2, 1.05, 1.4)], None),
        (RMSE, [("a", 1.0, np.nan, np.nan), ("b", 2.0, np.nan, np.nan)], None),
        (RMSE, [("a", 1.0, 0.9, 1.1), ("b", 2.0, 1.8, 2.2), ("ridge", 0.5, 0.4, 0.6, False)], None),
        (DETAIL, [("a", 0.99, 0.97, 1.01), ("b", 1.2, 1.1, 1.3)], "a"),
        (DETAIL, [("a", 0.9, 0.8, 0.95), ("b", 1.12, 1.02, 1.3)], None),
    ],
)
def test_intervals_that_overlap_mark_nothing(column, sources, best):
    assert best_of([Source(*one) for one in sources], column, PREDICTAND, {}) == best


@pytest.mark.parametrize(
    ("low", "high", "p", "told"),
    [
        (-0.3, -0.1, 0.001, "a is better than b"),
        (0.1, 0.3, 0.001, "a is worse than b"),
        (-0.1, 0.3, 0.4, "not to be told apart"),
        (-0.3, -0.1, 0.08, "not to be told apart"),  # after all other pairs
    ],
)
def test_pairs_in_words(low, high, p, told):
    one = Difference("rmse", "", (1.0, 1.0 - (low + high) / 2), low, high, (1, 1), p, p)
    assert told in told_apart(("a", "b"), one, "K")


def test_runs_are_called_by_what_their_paths_differ_in():
    assert titles([Path("/r/a/x"), Path("/r/b/x")]) == ["a/x", "b/x"]
    assert titles([Path("/r/a"), Path("/r/b")]) == ["a", "b"]


def test_runs_on_other_samples_are_refused(runs, tmp_path):
    other = made_shards()
    made_run(tmp_path / "other", shards=other)
    path = tmp_path / "other" / "metrics" / "samples.nc"

    xr.load_dataset(path).isel(time=slice(10, None)).to_netcdf(path)
    with pytest.raises(InputError, match="other samples"):
        comparison_page(facts_of([runs[0], tmp_path / "other"]), [None] * 2, [""] * 2)


@pytest.mark.parametrize("flags", [("--runs={0}",), ("--runs={0},{0}",), ("--runs={0},{1}/none",)])
def test_what_cannot_be_compared_is_refused_in_one_line(runs, tmp_path, capsys, flags):
    given = [flag.format(*runs) for flag in flags]
    assert main(["report", *given, f"--save_path={tmp_path / 'out'}"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_folder_of_a_comparison_is_named(runs, capsys):
    assert main(["report", f"--runs={runs[0]},{runs[1]}"]) == 2
    assert "expected --save_path=FOLDER" in capsys.readouterr().err


def test_the_command_compares(runs, tmp_path):
    given = f"--runs={','.join(map(str, runs))}"
    assert main(["report", given, f"--save_path={tmp_path}"]) == 0
    assert list(rows_of((tmp_path / "report.html").read_text()))[:3] == ["fine", "coarse", "twin"]
