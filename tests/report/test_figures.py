"""Figures are drawn whatever there is to show."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread
from memory_shards import fine_grid, perfect_prog

from app.data.description import Variable
from app.grids import Grid
from app.metrics.drawing.maps import DIVERGING, diverging, sequential, stretch
from app.metrics.evaluate import evaluate
from app.metrics.spectra import Spectrum
from app.report.figures import draw_figures
from app.report.members import ensemble_maps

RAIN = (Variable("pr", "pr", units="mm day-1", kind="ratio"),)


def evaluation(
    folder,
    candidates=("bicubic", "linear"),
    names=("t",),
    gaps=False,
    grid=None,
    members=None,
    variables=None,
):
    rng = np.random.default_rng(0)
    hr = (0 if variables else 280) + rng.normal(size=(60, 12, 14, len(names)))
    if gaps:
        hr[:, :4, :5] = np.nan
    variables = variables or tuple(Variable(name, name, units="K") for name in names)
    shards = perfect_prog(hr, variables=variables, grid=grid)
    fields = shards.read("hr", "test", np.arange(12)) + rng.normal(size=(12, 12, 14, len(names)))
    grid = shards.geometry.fine
    data = {name: (("time", *grid.dims), fields[..., c]) for c, name in enumerate(names)}
    dataset = xr.Dataset(data, {"time": shards.times("test"), **grid.coords()})
    if members:
        scale = xr.DataArray(np.linspace(0.99, 1.01, members), dims="member")
        dataset = (dataset * scale).transpose("member", ...)
    return evaluate(shards, dataset, folder, candidates=candidates)


@pytest.mark.parametrize("candidates", [(), ("bicubic", "linear"), ("climatology",)])
def test_figures_are_files_with_content(tmp_path, candidates):
    paths = draw_figures(evaluation(tmp_path, candidates, gaps=True), tmp_path)
    assert [path.name for path in paths] == ["maps.png", "rmse_map.png", "scores.png", "bins.png"]
    for path in paths:
        assert imread(path)[..., :3].std() > 0.05


@pytest.mark.parametrize(
    ("members", "variables", "more"), [(2, RAIN, ["wet_reliability.png"]), (16, None, [])]
)
def test_members_have_a_rank_histogram_and_of_rain_the_reliability(
    tmp_path, members, variables, more
):
    names = ("pr",) if variables else ("t",)
    found = evaluation(tmp_path, names=names, members=members, variables=variables)
    paths = draw_figures(found, tmp_path)
    own = ["spectra.png", "rank_histogram.png", "members.png", *more, "bins.png"]
    assert {path.name for path in paths} == {*own, "maps.png", "rmse_map.png", "scores.png"}
    for path in paths:
        assert imread(path)[..., :3].std() > 0.05


def test_the_figure_of_an_ensemble_shows_what_it_says(tmp_path):
    found = evaluation(tmp_path, members=5)
    result, plain = found.variables[0], np.full((12, 14), 279.0)
    fields, members = result.example.fields, result.example.members
    expected = {
        "truth": fields["truth"],
        "deterministic network": plain,
        "member 4": members[3],
        "mean of 5 members": fields["model"],
        "their standard deviation": np.sqrt(((members - fields["model"]) ** 2).sum(axis=0) / 4),
    }
    figure = ensemble_maps(result, plain)
    drawn = {axes.get_title(): axes.collections for axes in figure.axes}
    assert "low resolution" in drawn
    for name, values in expected.items():
        np.testing.assert_allclose(drawn[name][0].get_array(), values, rtol=1e-4)


def test_a_truth_without_variance_still_gives_figures(tmp_path):
    found = evaluation(tmp_path)
    result = found.variables[0]
    result.metric(Spectrum).power[0] = 0
    drawn = {path.name for path in draw_figures(found, tmp_path)}
    assert drawn == {"maps.png", "rmse_map.png", "scores.png", "spectra.png", "bins.png"}


def test_several_predictands_have_their_own(tmp_path):
    paths = draw_figures(evaluation(tmp_path, names=("tas", "pr")), tmp_path)
    assert {path.name for path in paths} == {
        f"{figure}_{name}.png"
        for figure in ("maps", "rmse_map", "scores", "spectra", "bins")
        for name in ("tas", "pr")
    }


def test_rotated_grids_are_drawn_with_every_baseline(tmp_path):
    y, x = np.mgrid[:12, :14].astype(float)
    turned = Grid(lat=45 + 0.4 * y - 0.1 * x, lon=5 + 0.5 * x + 0.1 * y, dims=("y", "x"))
    result = evaluation(tmp_path, ("bilinear", "bicubic", "linear"), grid=turned)
    assert result.table.candidates == ("model", "bilinear", "bicubic", "linear")
    for path in draw_figures(result, tmp_path):
        assert imread(path)[..., :3].std() > 0.05
    with xr.open_dataset(tmp_path / "gridpoint.nc") as maps:
        assert maps.rmse.dims == ("candidate", "y", "x")
        np.testing.assert_allclose(maps["lat"], turned.lat)


def test_errors_have_a_symmetric_scale():
    scale = diverging([np.array([-1.0, np.nan, 3.0])])
    assert scale.low == -scale.high
    assert scale.colours == DIVERGING


def test_scales_mark_what_they_cut_off():
    values = np.append(np.linspace(0, 1, 1001), 50.0)
    scale = sequential([values])
    assert scale.high < 1.01
    assert scale.extend == "both"
    flat = sequential([np.full(5, 3.0)])
    assert flat.low < flat.high
    assert sequential([np.full(5, np.nan)]).low == 0


def test_a_degree_of_longitude_is_half_as_long_at_sixty():
    at_sixty = fine_grid(3, 4, south=59.5, step=0.5)
    assert stretch(at_sixty) == pytest.approx(2.0)
    pole = Grid(lat=np.array([89.0, 89.5, 90.0]), lon=np.array([0.0, 1.0, 2.0]))
    assert stretch(pole) == 4.0
