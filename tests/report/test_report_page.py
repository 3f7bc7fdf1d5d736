"""The page of a run: what it holds, that it stands alone, and that names stay text."""

import base64
import json
import re
import zlib
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from made_runs import made_run, made_shards

from app.data.description import Variable
from app.main import main
from app.report.page.frames import LEVELS, chosen, payload, quantised
from app.report.page.run_facts import RunFacts, ScoreTable
from app.report.page.run_page import run_page
from app.report.page.score_charts import banded, grouped_rmse, sources_of

HOSTILE = "t<img src=x onerror=alert(1)>"
UNIT = '$\\frac$</script><script>alert(2)</script>"&'


class Page(HTMLParser):
    """Elements of a page with their attributes, identifiers, and its visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text: list[str] = []
        self.data: list[str] = []
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        kind = dict(attrs).get("type", "")
        self._inside = "data" if kind == "application/json" else tag

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "data":
            self.data.append(data)
        elif self._inside not in ("script", "style"):
            self.text.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, own, value in self.attributes if own == name]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("report") / "first"


@pytest.fixture(scope="module")
def record(run):
    return made_run(run)


@pytest.fixture(scope="module")
def page(run, record) -> str:
    return run_page(RunFacts.of(run), record)


def test_the_page_stands_alone(page):
    seen = Page(page)
    links = [*seen.values("src"), *seen.values("href"), *seen.values("xlink:href")]
    assert links
    assert all(link.startswith(("data:", "#")) for link in links)
    assert "default-src 'none'" in seen.values("content")[0]
    assert not re.search(r"url\((?!#)", page)
    assert len(page.encode()) < 2 * 2**20


def test_the_page_is_readable_without_eyes(page):
    seen = Page(page)
    ids = seen.values("id")
    assert len(ids) == len(set(ids))
    assert {
        link[1:] for link in seen.values("href") if link.startswith("#") and len(link) > 1
    } <= set(ids)
    alts = [value for tag, name, value in seen.attributes if (tag, name) == ("img", "alt")]
    assert len(alts) == seen.tags["img"]
    assert all("to" in alt and "on average" in alt for alt in alts)
    charts = [v for t, n, v in seen.attributes if (t, n) == ("svg", "aria-label")]
    assert len(charts) == seen.tags["svg"]
    headings = [tag for tag, _, _ in seen.attributes if tag in ("h1", "h2")]
    assert seen.tags["h1"] == 1, headings


def test_the_page_says_what_the_files_say(page, run):
    seen = " ".join(Page(page).text)
    verdict = json.loads((run / "metrics" / "verdict.json").read_text())
    for sentence in verdict["variables"][0]["sentences"]:
        assert sentence in seen
    assert "A & B <64>" in seen
    assert "1,234" in seen
    assert "00:07 for 2 epochs" in seen
    assert "2.5 s" in seen


def test_names_and_units_of_files_stay_text(tmp_path):
    variables = (Variable(HOSTILE, HOSTILE, units=UNIT), Variable("plain", "plain", units="K"))
    record = made_run(tmp_path / "<b>run</b>", shards=made_shards(variables))
    seen = Page(run_page(RunFacts.of(tmp_path / "<b>run</b>"), record, "no <i>reason</i>"))
    assert not [name for _, name, _ in seen.attributes if name.startswith("on")]
    assert seen.tags["script"] == 3  # two data blocks and ours
    assert seen.tags["i"] == seen.tags["b"] == 0
    assert "x" not in seen.values("src")
    text = " ".join(seen.text)
    for told in (HOSTILE, UNIT, "<b>run</b>", "no <i>reason</i>"):
        assert told in text
    assert [json.loads(block)["name"] for block in seen.data] == [HOSTILE, "plain"]


def decoded(told, shape):
    """As the script reads it: low bytes, high bytes, sums over time."""
    parts = np.frombuffer(zlib.decompress(base64.b64decode(told["packed"])), np.uint8)
    low, high = parts.reshape(2, -1).astype(np.uint16)
    numbers = np.cumsum((low + 256 * high).reshape(shape), axis=1, dtype=np.uint16)
    return np.where(numbers, told["low"] + (numbers - 1.0) * told["step"], np.nan)


def test_fields_survive_their_packing():
    fields = np.random.default_rng(3).normal(280, 9, (2, 5, 4, 3))
    fields[0, 2, 1, 1] = fields[1, :, 0, 0] = np.nan
    found = decoded(quantised(fields), fields.shape)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(fields))
    assert np.nanmax(np.abs(found - fields)) <= 0.51 * np.ptp(fields[np.isfinite(fields)]) / LEVELS
    assert np.isnan(decoded(quantised(np.full((1, 2, 2, 2), np.nan)), (1, 2, 2, 2))).all()


def test_the_script_gets_the_record(record):
    told = payload(record, 0, 40, 1, "K")["data"]
    assert told["layers"] == ["truth", "low resolution", "prediction"]
    rows = np.arange(len(record.stamps))
    fields = decoded(told, (3, len(rows), *record.grid.shape))
    for name, own in record.read(rows).items():
        place = told["layers"].index(name)
        np.testing.assert_allclose(fields[place], own[..., 0], atol=told["step"])
    cells = np.frombuffer(zlib.decompress(base64.b64decode(told["raster"]["cells"])), "<u4")
    north_west = record.grid.shape[1] * (record.grid.shape[0] - 1) + 1
    assert cells[0] == north_west
    assert set(cells) == set(range(1, 1 + record.grid.lat.size * record.grid.lon.size))


def test_what_is_played_is_bounded(record):
    rows, (step, _) = chosen(record, 70, 4, 4 * 8 * 10 * 30)
    assert (len(rows), step) == (30, 1)
    assert 70 in rows
    rows, (step, _) = chosen(record, 0, 4, 4 * 8 * 10 * 10)
    assert step > 1
    assert 4 * len(rows) * (8 // step) * (10 // step) <= 4 * 8 * 10 * 10


def test_intervals_stand_behind_their_scores(run):
    table = ScoreTable.read(run / "metrics")
    rows = {
        line.split(",")[0]: line
        for line in (run / "metrics" / "summary.csv").read_text().splitlines()
    }
    score = table.scores["rmse"]["model"]
    expected = [float(rows[name].split(",")[1]) for name in ("rmse", "rmse_low", "rmse_high")]
    assert [score.value, score.low, score.high] == expected
    assert "rmse_low" not in table.scores
    assert table.units["rmse"] == "K"


def test_errors_by_hour_are_those_of_the_samples(run):
    source = sources_of(RunFacts.of(run))[0]
    predictand = RunFacts.of(run).predictands[0]
    stamps, squares, weight = source.samples(predictand)
    hour = stamps.seconds // 3600 % 24
    found = grouped_rmse(squares, weight, hour, 24)
    samples = xr.load_dataset(run / "metrics" / "samples.nc").sel(candidate="model")
    own = samples.groupby("time.hour").sum()
    np.testing.assert_allclose(found, np.sqrt(own["squares"] / own["weight"]))
    assert found == pytest.approx(0.1, rel=0.25)


def test_members_have_a_band_and_maps_of_their_own(tmp_path):
    record = made_run(tmp_path / "ensemble", members=5)
    told = payload(record, 0, 3, 1, "K")["data"]
    assert told["layers"][3:] == ["low", "high", "member 1", "member 2", "member 3", "member 4"]
    shape = (len(told["layers"]), len(told["times"]), *record.grid.shape)
    fields = dict(zip(told["layers"], decoded(told, shape), strict=True))
    members = record.spread(np.array([3]))[..., 0][:, 0]
    expected = np.quantile(members, 0.95, axis=0)
    np.testing.assert_allclose(fields["high"][3], expected, atol=told["step"])
    seen = Page(run_page(RunFacts.of(tmp_path / "ensemble"), record))
    text = " ".join(seen.text)
    assert "5 members at" in text
    assert "Rank histogram" in text


def test_a_run_without_scores_or_prediction_shows_the_rest(tmp_path, capsys):
    (tmp_path / "history.csv").write_text(
        "epoch,loss,val_loss,learning_rate,seconds\n1,3,2,0.1,1\n2,1,1,0.1,1\n"
    )
    assert main(["report", f"--save_path={tmp_path}"]) == 0
    text = " ".join(Page((tmp_path / "report.html").read_text()).text)
    assert "Learning curve" in text
    assert "Scores are left out" in text
    assert "Maps of single times are left out" in text


@pytest.mark.parametrize(("files", "told"), [((), "no run folder"), (("experiment.cfg",), "yet")])
def test_a_folder_without_anything_is_refused(tmp_path, capsys, files, told):
    for name in files:
        (tmp_path / name).touch()
    assert main(["report", f"--save_path={tmp_path}"]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert not (tmp_path / "report.html").exists()


def test_a_truncated_history_is_read_as_far_as_it_goes(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,loss,val_loss\n1,3,2\n2,1.5")
    columns = RunFacts.of(tmp_path).histories[""]
    np.testing.assert_array_equal(columns["loss"], [3, 1.5])
    assert np.isnan(columns["val_loss"][1])


def test_any_two_files_have_a_page_with_maps(tmp_path):
    record = made_run(tmp_path / "made")
    rows = np.arange(len(record.stamps))
    with xr.open_dataset(tmp_path / "made" / "y_hat.nc") as fields:
        exact = record.read(rows)["truth"][..., 0]
        fields.assign(t2m=(("time", "lat", "lon"), exact)).to_netcdf(tmp_path / "truth.nc")
    given = [
        f"--{n}={tmp_path / p}" for n, p in (("truth", "truth.nc"), ("prediction", "made/y_hat.nc"))
    ]
    argv = ["metrics", "report", *given, "--variable=t2m", f"--save_path={tmp_path / 'out'}"]
    assert main([*argv, f"--cache_dir={tmp_path / 'cache'}"]) == 0
    seen = Page((tmp_path / "out" / "report.html").read_text())
    assert len(seen.data) == 1
    assert json.loads(seen.data[0])["layers"] == ["truth", "prediction"]


def written(folder: Path, name: str, columns: str, lines: list[str]) -> None:
    (folder / "metrics" / f"{name}.csv").write_text("\n".join([columns, *lines]) + "\n")


def test_spectra_by_season_and_in_time_are_figures_and_the_benchmark_a_table(tmp_path):
    folder = tmp_path / "run"
    made_run(folder)
    before = Page(run_page(RunFacts.of(folder)))
    assert not any("by season" in text or "CORDEX" in text for text in before.text)
    power = {"truth": (8.0, 2.0), "model": (8.0, 1.0), "bicubic": (4.0, 0.5)}
    written(
        folder,
        "season_spectra",
        "variable,season,wavelength_km,samples,candidate,power",
        [
            f"t2m,{season},{wave},5,{name},{value}"
            for season in ("year", "JJA")
            for name, own in power.items()
            for wave, value in zip((400, 100), own, strict=True)
        ],
    )
    periods = 2.0 ** np.arange(1, 11)
    written(
        folder,
        "time_spectrum",
        "variable,period_hours,candidate,power",
        [
            f"t2m,{period},{name},{own[0] * period}"
            for name, own in power.items()
            for period in periods
        ],
    )
    written(
        folder,
        "cordex_ml_bench",
        "variable,season,diagnostic,unit,candidate,value,mean_bias,mean_relative_bias,mean_ratio",
        [
            "t2m,annual,txx,K,model,1.25,-0.5,0.0125,0.96",
            "t2m,annual,txx,K,bicubic,2.5,-2.5,0.025,0.9",
            "t2m,DJF,rmse,K,model,0.75,,,",
        ],
    )
    html = run_page(RunFacts.of(folder))
    told = [text for text in Page(html).values("aria-label") if text.startswith("Variance")]
    seasons = next(text for text in told if "season" in text)
    assert "JJA: 0 at 400, -3.01 at 100" in seasons  # 10 log₁₀ ½
    in_time = next(text for text in told if text.startswith("Variance by period. "))
    assert "truth: 16 at 2, 8.19e+03 at 1024" in in_time
    table = html[html.index("CORDEX-ML-Bench of t2m") :]
    table = table[: table.index("</table>")]
    lines = [re.findall(r">([^<>\n]+)<", row) for row in table.split("<tr")[2:]]
    assert [line[0] for line in lines] == ["annual: txx [K]", "DJF: rmse [K]"]
    assert [float(cell) for cell in lines[0][1:3]] == [1.25, 2.5]
    assert [float(cell) for cell in lines[0][-3:]] == [-0.5, 0.0125, 0.96]
    assert lines[1][2] == "–"
    assert '<table class="sortable">' in table


def test_many_periods_are_gathered_in_bands_of_a_logarithmic_axis():
    x, y = np.arange(1.0, 1001.0), np.arange(1.0, 1001.0) ** 2
    wave, power = banded(x, y, 3)
    for band, (low, high) in enumerate(((1, 10), (10, 100), (100, 1001))):
        own = (x > low) & (x <= high) if band else x <= high
        assert power[band] == pytest.approx(y[own].mean())
        assert wave[band] == pytest.approx(np.exp(np.log(x[own]).mean()))
