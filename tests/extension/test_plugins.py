"""Plugins: files outside the program that bring a backbone, a loss, a metric and more."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import app
from app import options, plugins
from app.main import main
from app.ranks import Ranks
from app.registry import REGISTRY
from app.session import Session
from tests.system.conftest import fields, run_in, scores

FOLDER = Path(__file__).parent / "plugins"
SMALL = [
    *("--n_filters=4", "--n_blocks=2", "--dropout_rate=0", "--batch_size=8", "--threads=1"),
    *("--epochs=1", "--scale=2", "--notensorboard"),
]


def named(*files: str) -> str:
    return "--plugins=" + ",".join(str(FOLDER / f"{name}.py") for name in files)


@pytest.fixture(autouse=True)
def none_is_left() -> Any:
    yield
    plugins.use(())


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    fields(n=40).to_netcdf(tmp_path / "fine.nc")
    return [f"--data={tmp_path / 'fine.nc'}", "--variable=t2m", f"--cache_dir={tmp_path / 'cache'}"]


Write = Callable[[str, str], str]


@pytest.fixture
def plugin(tmp_path: Path) -> Write:
    """Writes a plugin, and gives the flag that names it."""

    def write(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return f"--plugins={tmp_path / name}"

    return write


def as_ascii_grids(fine: xr.Dataset, folder: Path) -> None:
    """One file a time, rows from north to south, as GIS programs write them."""
    folder.mkdir()
    south, west = float(fine.lat.min()), float(fine.lon.min())
    size = float(fine.lon[1] - fine.lon[0])
    header = f"ncols {fine.lon.size}\nnrows {fine.lat.size}\nxllcorner {west - size / 2}\n"
    header += f"yllcorner {south - size / 2}\ncellsize {size}\nNODATA_value -9999\n"
    for time, field in zip(fine.time.values, fine.t2m.values, strict=True):
        rows = "\n".join(" ".join(f"{value:.4f}" for value in row) for row in field)
        name = f"t2m_{pd.Timestamp(time).isoformat(timespec='minutes')}.asc"
        (folder / name).write_text(header + rows)


def test_each_is_one_short_file() -> None:
    lengths = {path.stem: len(path.read_text().splitlines()) for path in FOLDER.glob("*.py")}
    assert set(lengths) == {"analogue", "ascii_grids", "delta", "dilated", "gradient", "log_cosh"}
    assert max(lengths.values()) <= 120


def test_names_are_there_while_the_plugin_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", named("log_cosh", "delta")]) == 0
    assert "log_cosh            squared near 0, absolute far off" in capsys.readouterr().out
    assert main(["list", "--loss=log_cosh"]) == 2
    assert "--loss=log_cosh: expected one of mae" in capsys.readouterr().err
    assert "delta" not in REGISTRY.names("baseline")


def test_the_loss_is_log_cosh() -> None:
    options.parse([named("log_cosh")])
    error = np.array([[0.1, -2.0], [5.0, np.nan]], "f4")[None, ..., None]
    loss = REGISTRY.resolve("loss", "log_cosh")(error, np.zeros_like(error))
    expected = np.mean(np.log(np.cosh([0.1, 2.0, 5.0])))
    np.testing.assert_allclose(np.asarray(loss), [expected], rtol=1e-5)


def test_a_source_is_read_again_when_its_files_have_changed(tmp_path: Path) -> None:
    fine = fields(n=3, y=6, x=8).interp(lat=np.linspace(52, 50.5, 6), lon=np.linspace(0, 2.1, 8))
    fine = fine.fillna(280.0)
    as_ascii_grids(fine, tmp_path / "grids")
    argv = [named("ascii_grids"), f"--data=ascii:{tmp_path}/grids/*.asc", "--variable=t2m"]
    argv += [f"--cache_dir={tmp_path / 'cache'}"]

    def made() -> str:
        session = Session(options.build(*options.parse(["check", *argv])), Ranks())
        assert session.description.predictand is not None
        return session.description.predictand.files[0]

    first = made()
    with xr.open_dataset(first) as found:
        np.testing.assert_allclose(found.t2m.values, fine.t2m.values, atol=1e-4)
        np.testing.assert_allclose(found.lat.values, fine.lat.values)
        np.testing.assert_array_equal(found.time.values, fine.time.values)
    assert made() == first
    (tmp_path / "grids" / "t2m_2020-01-01T12:00.asc").unlink()
    assert made() != first


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("x = 1\ny = (", 2, "SyntaxError"),
        ("import app\n\nraise OSError('no disk')", 3, "OSError: no disk"),
        ("import sys\nsys.exit(0)", 2, "SystemExit"),
        ("import app\n@app.register('los', 'x', 'y')\ndef f(): ...", 2, "unknown kind 'los'"),
        ("import app\n@app.register('loss', 'mae', 'y')\ndef f(): ...", 2, "a loss 'mae' already"),
    ],
)
def test_one_that_fails_is_told_by_its_line(
    text: str, line: int, what: str, plugin: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    flag = plugin("mine.py", text)
    assert main(["list", flag]) == 2
    told = capsys.readouterr().err
    path = flag.removeprefix("--plugins=")
    assert told.startswith(f"finescale: --plugins: {path}, line {line}: ")
    assert what in told
    assert len(told.splitlines()) == 1
    assert plugins.digests() == {}


def test_what_is_no_python_file_and_two_of_one_name(
    tmp_path: Path, plugin: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", f"--plugins={tmp_path / 'none.py'}"]) == 2
    assert "expected Python files that are there" in capsys.readouterr().err
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.py").write_text("")
    flag = plugin("mine.py", "")
    assert main(["list", f"{flag},{tmp_path / 'other' / 'mine.py'}"]) == 2
    assert "another plugin is called mine.py" in capsys.readouterr().err


def test_one_that_fails_at_work_is_told_likewise(
    tmp_path: Path, plugin: Write, data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = "import app\n\n@app.register('loss', 'odd', 'x')\ndef odd(a, b):\n    return a.nothing\n"
    flag = plugin("odd.py", text)
    argv = ["train", *data, *SMALL, flag, "--loss=odd", f"--save_path={tmp_path / 'run'}"]
    assert main(argv) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    path = flag.removeprefix("--plugins=")
    assert told.startswith(f"finescale: --plugins: {path}, line 5: AttributeError: ")
    assert "stage train" in told


def test_what_a_run_folder_names_is_not_run(tmp_path: Path, plugin: Write) -> None:
    marker = tmp_path / "was_run"
    text = f"import app, pathlib\npathlib.Path({str(marker)!r}).touch()\n"
    text += "@app.register('loss', 'theirs', 'x')\ndef theirs(a, b): ...\n"
    flag = plugin("theirs.py", text)
    run = tmp_path / "run"
    run.mkdir()
    (run / "experiment.cfg").write_text(f"{flag}\n--loss=theirs\n")
    values = options.kept_values(run / "experiment.cfg")
    assert values["loss"] == "theirs"
    with pytest.raises(app.InputError, match=r"theirs\.py, which is code"):
        Session.of_run(run, "check")
    assert main(["train", "--data=x.nc", "--variable=y", f"--save_path={run}"]) == 2
    assert not marker.exists()
    assert main(["list", f"--flagfile={run / 'experiment.cfg'}"]) == 0  # the user names it
    assert marker.exists()


def test_members_of_a_sweep_know_its_names(
    tmp_path: Path, data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["sweep", *data, *SMALL, named("log_cosh"), f"--save_path={tmp_path / 'sweep'}"]
    assert main([*argv, "--sweep=loss=mae,log_cosh", "--dry_run"]) == 0
    assert "log_cosh" in capsys.readouterr().out


@pytest.mark.long
def test_five_kinds_from_files_to_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A backbone, a loss, a metric, a baseline and a source in one run."""
    fine = fields(n=40).assign_coords(lat=60 - 0.5 * np.arange(18))
    as_ascii_grids(fine, tmp_path / "grids")
    run = tmp_path / "run"
    own_copy = tmp_path / "gradient.py"
    own_copy.write_text((FOLDER / "gradient.py").read_text())
    flag = f"{named('dilated', 'log_cosh', 'delta', 'ascii_grids')},{own_copy}"
    argv = [*SMALL, flag, "--backbone=dilated", "--loss=log_cosh", f"--save_path={run}"]
    argv += [f"--data=ascii:{tmp_path}/grids/*.asc", "--variable=t2m", f"--cache_dir={tmp_path}"]
    assert main(["train", "test", "metrics", *argv]) == 0

    with (
        xr.open_dataset(run / "y_hat.nc") as found,
        xr.open_dataset(next(tmp_path.glob("ascii-*.nc"))) as read,
    ):
        truth = read.t2m.sel(time=found.time).values.astype(float)
        slope = np.diff(found.t2m.values - truth, axis=-1)
    table = pd.read_csv(run / "metrics" / "summary.csv", index_col="metric")
    assert table["model"]["gradient_rmse"] == pytest.approx(np.sqrt(np.mean(slope**2)), rel=1e-4)
    # Of times alone the delta method differs from bias_corrected in nothing.
    assert table["delta"]["rmse"] == pytest.approx(table["bias_corrected"]["rmse"], rel=1e-4)
    kept = json.loads((run / "provenance.json").read_text())["plugins"]
    assert set(kept) == {"dilated.py", "log_cosh.py", "delta.py", "ascii_grids.py", "gradient.py"}
    assert flag in (run / "experiment.cfg").read_text().splitlines()

    with pytest.raises(app.InputError, match=r"needs the plugin dilated\.py .*--plugins=dilated"):
        app.load(run)
    model = app.load(run, plugins=str(FOLDER / "dilated.py"))
    assert model.predict(fine[["t2m"]], threads=1).sizes["time"] == 40
    capsys.readouterr()
    assert main(["test", f"--model={run}", "--input=x.nc", f"--save_path={tmp_path / 'o'}"]) == 2

    own_copy.write_text(own_copy.read_text() + "\n")
    assert main(["metrics", *argv]) == 0
    assert "gradient.py has changed since" in capsys.readouterr().err
    assert main(["train", *argv, "--epochs=2"]) == 2
    assert "gradient.py of --plugins has changed since the training" in capsys.readouterr().err


@pytest.mark.slow
def test_a_method_from_files_to_scores(tmp_path: Path, data: list[str]) -> None:
    """Analogues give back a time of the training period, and miss on times of the test."""
    run = tmp_path / "run"
    flags = [*SMALL, *data, named("analogue", "gradient", "delta"), f"--save_path={run}"]
    argv = ["--trainer=AnalogueTrainer", "--first_guess=bilinear", *flags]
    assert main(["train", "test", "metrics", *argv]) == 0
    found = scores(run)
    assert 0 < found["rmse"] < 5
    assert found["gradient_rmse"] > 0
    with xr.open_dataset(tmp_path / "fine.nc") as fine:
        model = app.load(run, plugins=str(FOLDER / "analogue.py"))
        own = model.predict(fine[["t2m"]].isel(time=slice(0, 10)), threads=1)
        np.testing.assert_allclose(own.t2m.values, fine.t2m.values[:10], atol=1e-2)


@pytest.mark.parallel
@pytest.mark.slow
def test_every_rank_runs_the_plugin(tmp_path: Path, data: list[str]) -> None:
    argv = ["train", *data, *SMALL, named("log_cosh"), "--loss=log_cosh", "--save_path=two"]
    run_in(tmp_path, *argv, ranks=2)
    assert (tmp_path / "two" / "model.keras").is_file()


@pytest.mark.slow
def test_members_of_a_sweep_run_it(tmp_path: Path, data: list[str]) -> None:
    """The file is named as users name it, relative to where they are."""
    (tmp_path / "mine.py").write_text((FOLDER / "log_cosh.py").read_text())
    argv = [
        "sweep",
        *data,
        *SMALL,
        "--plugins=mine.py",
        "--save_path=sweep",
        "--sweep_stages=train",
    ]
    run_in(tmp_path, *argv, "--sweep=loss=mae,log_cosh")
    made = sorted(path.parent.name for path in (tmp_path / "sweep").rglob("model.keras"))
    assert len(made) == 2
    assert any("log_cosh" in name for name in made)
