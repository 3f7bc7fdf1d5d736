"""Figures are drawn whatever there is to show."""

import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import imread
from memory_shards import fine_grid, perfect_prog

from app.data.description import Variable
from app.grids import Grid
from app.metrics.deterministic.bins import ValueBins
from app.metrics.drawing.errors import score_chart
from app.metrics.drawing.maps import (
    DIVERGING,
    diverging,
    draw_field,
    frame,
    panel_figure,
    sequential,
    stretch,
)
from app.metrics.drawing.style import look
from app.metrics.evaluate import evaluate
from app.metrics.ground import Ground, coastlines, shade
from app.metrics.spatial.spectra import Spectrum
from app.metrics.table import Row
from app.report.figures import draw_figures, example_maps
from app.report.learning import draw_learning_curves, learning_curve
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


def test_ten_candidates_have_ten_looks():
    names = ("model", "base", "linear", *(f"other_{i}" for i in range(7)))
    looks = look(names)
    assert len({one.colour for one in looks.values()}) == len(names)
    many = look(tuple(f"other_{i}" for i in range(25)))
    assert len({(one.colour, one.dash) for one in many.values()}) == 25


@pytest.mark.parametrize(("kind", "start"), [("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_figures_for_print_are_the_same_whenever_they_are_drawn(tmp_path, kind, start):
    found = evaluation(tmp_path)
    first, again = tmp_path / "first", tmp_path / "again"
    for folder in (first, again):
        folder.mkdir()
        draw_figures(found, folder, kind)
    for path in first.iterdir():
        assert path.suffix == f".{kind}"
        assert path.read_bytes().startswith(start)
        assert path.read_bytes() == (again / path.name).read_bytes()


def test_a_candidate_that_is_far_off_does_not_squeeze_the_axis(tmp_path):
    result = evaluation(tmp_path).variables[0]
    names = result.subject.candidates
    rmse = np.full((len(names), 30), 0.1)
    rmse[names.index("linear")] = 14.0
    rows = (Row("rmse", "K", {n: (float(rmse[k, 0]), np.nan) for k, n in enumerate(names)}),)
    rows += tuple(Row(f"rmse_{end}", "K", {}) for end in ("low", "high"))
    told = replace(result, table=replace(result.table, rows=rows))
    figure = score_chart(rmse, told)
    for axes in figure.axes:
        assert axes.get_xlim()[1] < 0.5
        assert any("14" in text.get_text() for text in axes.texts)
    assert "interval" not in figure.axes[0].get_title()


def test_bins_of_a_short_record_leave_no_empty_panel(tmp_path):
    found = evaluation(tmp_path)  # twelve days
    result = found.variables[0]
    chart = result.metric(ValueBins).figures(result)["bins"]
    assert len(chart.axes) == 1
    assert chart.axes[0].lines


@pytest.mark.parametrize("candidates", [(), ("linear",), ("climatology", "linear")])
def test_no_panel_is_empty_without_a_low_resolution(tmp_path, candidates):
    result = evaluation(tmp_path, candidates).variables[0]
    result = replace(result, example=replace(result.example, coarse=None))
    figure = example_maps(result)
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    assert len(panels) == (6 if "linear" in candidates else 3)
    assert all(axes.axison and axes.collections and axes.get_title() for axes in panels)
    letters = [axes.texts[0].get_text() for axes in panels]
    assert letters == list("abcdef")[: len(panels)]


def test_coastlines_and_relief_come_from_the_statics():
    x = np.tile(np.arange(14, dtype=np.float32), (12, 1))
    grid = fine_grid(12, 14)
    statics = np.stack([100 * (x > 6), 1000 - 80 * np.abs(x - 7)], axis=-1)
    names = (
        Variable("sftlf", "sftlf", units="%"),
        Variable("h", "h", units="m", standard_name="surface_altitude"),
    )
    ground = Ground.of(names, statics)
    _, ((axes,),) = panel_figure(grid, 1, 1)
    ground.draw(axes, grid, relief=True)
    relief, coast = axes.collections
    (line,) = coast.get_paths()
    np.testing.assert_allclose(line.vertices[:, 0], (grid.lon[6] + grid.lon[7]) / 2)
    opacity = np.asarray(relief.get_alpha())
    assert (opacity[:, 9:13] > 0).all()  # lit from the north-west: the eastern slope is dark
    assert (opacity[:, 1:6] == 0).all()
    assert not shade(np.full((4, 5), 7.0)).any()


def test_unknown_statics_are_no_ground():
    ground = Ground.of((Variable("soil", "soil", units="1"),), np.ones((3, 4, 1)))
    assert ground.land is None
    assert ground.heights is None


@pytest.mark.parametrize(("south", "rows", "columns"), [(40, 20, 20), (60, 40, 30), (80, 20, 20)])
def test_panels_fill_their_room_at_any_latitude(south, rows, columns):
    grid = fine_grid(rows, columns, south=south)
    figure, axes = panel_figure(grid, 2, 3)
    scale = sequential([np.arange(10.0)])
    for panel in axes.flat:
        draw_field(panel, np.zeros(grid.shape), grid, scale, "prediction − truth (RMSE 0.64 K)")
        frame(panel, grid)
    FigureCanvasAgg(figure).draw()
    boxes = [panel.get_window_extent() for panel in axes[0]]
    gap = boxes[1].x0 - boxes[0].x1
    assert gap < 0.25 * boxes[0].width
    titles = [panel.title.get_window_extent() for panel in axes[0]]
    assert titles[0].x1 < titles[1].x0


def test_the_learning_curve_marks_the_lowest_validation(tmp_path):
    history = tmp_path / "history.csv"
    header = "epoch,loss,val_loss,learning_rate,seconds\n"
    history.write_text(header + "1,3,2.5,0.1,1\n2,2,1.25,0.1,1\n3,1.5,1.5,0.01,1\n")
    stage = tmp_path / "stages" / "stage_2"
    stage.mkdir(parents=True)
    (stage / "history.csv").write_text(history.read_text())
    names = [path.name for path in draw_learning_curves(tmp_path, tmp_path, "svg")]
    assert names == ["learning_curve.svg", "learning_curve_stage_2.svg"]
    assert all((tmp_path / name).stat().st_size for name in names)
    columns = {
        "epoch": np.array([1.0, 2, 3]),
        "loss": np.array([3, 2, 1.5]),
        "val_loss": np.array([2.5, 1.25, 1.5]),
        "learning_rate": np.full(3, 0.1),
    }
    _, labels = learning_curve(columns).axes[0].get_legend_handles_labels()
    assert labels == ["training", "validation", "lowest: 1.25 after epoch 2"]


@pytest.mark.parametrize("text", [None, "epoch,loss,val_loss,learning_rate\n1,3,2.5,0.1\n"])
def test_no_learning_curve_of_less_than_two_epochs(tmp_path, text):
    history = tmp_path / "history.csv"
    if text is not None:
        history.write_text(text)
    assert draw_learning_curves(tmp_path, tmp_path) == []


def test_coastlines_of_natural_earth_where_they_lie_on_this_machine(tmp_path, monkeypatch):
    class Line:
        coords = ((-9.0, 41.0, 0.0), (-5.0, 44.0, 0.0))

    class Reader:
        def __init__(self, path):
            assert path.endswith("ne_50m_coastline.shp")

        def geometries(self):
            return [Line()]

    cartopy, shapes = ModuleType("cartopy"), ModuleType("cartopy.io.shapereader")
    cartopy.config, shapes.Reader = {"data_dir": tmp_path}, Reader
    monkeypatch.setitem(sys.modules, "cartopy", cartopy)
    monkeypatch.setitem(sys.modules, "cartopy.io", ModuleType("cartopy.io"))
    monkeypatch.setitem(sys.modules, "cartopy.io.shapereader", shapes)
    monkeypatch.setattr("app.metrics.ground.DATA_PACKAGE", "no_such_package")
    coastlines.cache_clear()
    assert coastlines() == ()  # nothing there yet, and nothing is fetched
    (tmp_path / "ne_50m_coastline.shp").touch()
    coastlines.cache_clear()
    grid = fine_grid(12, 14)
    _, ((axes,),) = panel_figure(grid, 1, 1)
    frame(axes, grid)
    limits = axes.get_xlim(), axes.get_ylim()
    Ground().draw(axes, grid)
    coastlines.cache_clear()
    (line,) = axes.lines
    np.testing.assert_array_equal(line.get_xydata(), [(-9, 41), (-5, 44)])
    assert (axes.get_xlim(), axes.get_ylim()) == limits
