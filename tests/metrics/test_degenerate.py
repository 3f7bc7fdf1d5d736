"""Data that do not allow every score end with tables and figures that say so, without a warning."""

import csv
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from memory_shards import perfect_prog

from app.data.description import Variable
from app.metrics.evaluate import evaluate
from app.report.figures import draw_figures

N, Y, X = 60, 12, 14
TEST = slice(48, None)
RAIN = Variable("pr", "pr", units="mm day-1", kind="ratio")
HEAT = Variable("t2m", "t2m", units="K")
WEATHER = np.random.default_rng(5).normal(280, 5, (N, Y, X))
AMOUNTS = np.maximum(0, WEATHER - 282)
DRY_TEST = np.where(np.arange(N)[:, None, None] < 48, AMOUNTS, 0)
IN_TIME = np.broadcast_to(WEATHER[:, :1, :1], (N, Y, X))
IN_SPACE = np.broadcast_to(WEATHER[:1], (N, Y, X))

CONSTANT = {"nrmse", "psnr", "ssim", "pearson", "spearman", "pearson_time", "spearman_time"}
SPECTRAL = {"log_spectral_distance", "power_ratio_high", "power_worst_high"}
SKILL = {"skill_vs_bicubic", "skill_vs_linear"}
CASES: dict[str, tuple[Variable, np.ndarray, set[str]]] = {
    "all 280": (HEAT, np.full((N, Y, X), 280.0), CONSTANT | SPECTRAL | SKILL),
    "all 280.1": (HEAT, np.full((N, Y, X), 280.1), CONSTANT | SPECTRAL | SKILL),
    "all 0": (HEAT, np.zeros((N, Y, X)), CONSTANT | SPECTRAL | SKILL),
    "dry": (RAIN, np.zeros((N, Y, X)), CONSTANT | SPECTRAL | SKILL | {"relative_bias"}),
    "dry test": (RAIN, DRY_TEST, CONSTANT | SPECTRAL | {"relative_bias", "skill_vs_bicubic"}),
    "constant in space": (HEAT, IN_TIME, {"pearson", "spearman"} | SPECTRAL | SKILL),
    "constant in time": (HEAT, IN_SPACE, {"pearson_time", "spearman_time", "skill_vs_linear"}),
    "two values": (HEAT, (WEATHER > 280).astype(float), set()),
    "large values": (HEAT, 1e36 * (WEATHER - 280), set()),
}
ALWAYS = (*sorted(CONSTANT), *sorted(SKILL), "relative_bias", "mae", "rmse", "bias")
DRAWN = ("all 280", "dry test", "constant in space", "large values")


def prediction(shards, variable: Variable, members: int = 0) -> xr.Dataset:
    """The truth with errors that vary in time and space, as large as the truth's own spread."""
    grid = shards.geometry.fine
    truth = shards.read("hr", "test", np.arange(shards.size("test")))[..., 0]
    spread = float(np.nanstd(truth.astype(np.float64))) or 1.0
    noise = spread * np.random.default_rng(7).normal(size=(max(1, members), *truth.shape))
    fields = (truth.astype(np.float64) + np.abs(noise)).astype(np.float32)
    dims = ("member", "time", *grid.dims)
    array = (dims, fields) if members else (dims[1:], fields[0])
    fields = np.nan_to_num(fields, nan=280)
    return xr.Dataset({variable.name: array}, {"time": shards.times("test"), **grid.coords()})


def scored(
    variable: Variable, fields: np.ndarray, folder: Path, members: int = 0, draw=True, **options
):
    """Table by metric, the notes as one line, the names of the figures; any warning fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shards = perfect_prog(fields[..., None], variables=(variable,), **options)
        evaluation = evaluate(shards, prediction(shards, variable, members), folder)
        figures = {path.name for path in draw_figures(evaluation, folder)} if draw else set()
    with (folder / "summary.csv").open() as file:
        table = {row["metric"]: row["model"] for row in csv.DictReader(file)}
    return table, " ".join((folder / "summary.txt").read_text().split()), figures


@pytest.fixture(autouse=True)
def coarse_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.report.figures.DPI", 20)


@pytest.mark.parametrize(
    ("name", "members"), [*((name, 0) for name in CASES), ("all 280", 3), ("dry test", 3)]
)
def test_scores_without_a_value_are_blank_and_the_reason_is_given(
    name: str, members: int, tmp_path: Path
) -> None:
    variable, fields, without = CASES[name]
    draw = name in DRAWN
    table, text, figures = scored(variable, fields, tmp_path, members, draw)
    blank = {metric for metric, value in table.items() if not value and metric in ALWAYS}
    assert blank == without & set(ALWAYS)
    assert float(table["rmse"]) > 0
    assert figures >= {"maps.png", "rmse_map.png", "scores.png"} or not draw
    for metric in without:
        assert f"{metric}" in text.partition("the model has no value (–) of ")[2]
    assert "nan" not in text.replace("nearest", "")
    assert "inf" not in text.lower().replace("info", "")


@pytest.mark.parametrize("days", [1, 3])
def test_a_test_period_of_few_times(days: int, tmp_path: Path) -> None:
    share = (N - days) / N
    table, text, _ = scored(HEAT, WEATHER, tmp_path, draw=days == 1, shares=(0.6, share))
    assert f"test: {days} samples" in text
    assert float(table["rmse"]) > 0
    assert not table["rmse_low"]
    assert (not table["pearson_time"]) == (days == 1)


def test_a_single_coarse_cell(tmp_path: Path) -> None:
    table, text, _ = scored(HEAT, WEATHER[:, :2, :2], tmp_path, draw=False)
    assert "no spectra, the grid is too small" in text
    assert float(table["rmse"]) > 0


def test_a_block_without_truth(tmp_path: Path) -> None:
    gap = WEATHER.copy()
    gap[TEST, :2, :2] = np.nan
    table, text, figures = scored(HEAT, gap, tmp_path)
    valid = 12 * (Y * X - 4)
    assert f"{valid} of {valid} valid truth values scored, {Y * X - 4} grid points" in text
    assert float(table["rmse"]) > 0
    assert "spectra.png" in figures
