"""The scripts that look at finished runs, as users call them."""

import runpy
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import xarray as xr

from app.baselines.base import coarse_inputs
from app.main import main
from app.models import PhysicalModel
from app.session import Session
from tests.system.conftest import REPOSITORY, flags_for_waves, scores


def script(name: str, monkeypatch: pytest.MonkeyPatch, *argv: object) -> None:
    path = REPOSITORY / "scripts" / name
    monkeypatch.setattr(sys, "argv", [str(path), *map(str, argv)])
    runpy.run_path(str(path), run_name="__main__")


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with scores."""
    folder = tmp_path_factory.mktemp("net")
    flags = [*flags_for_waves(folder), "--noverbose", "--notensorboard", "--epochs=2"]
    stages = ["train", "test", "metrics", f"--save_path={folder / 'run'}"]
    assert main([*stages, *flags]) == 0
    return folder / "run"


def test_dressed_run_and_its_figure(
    net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noise is what the network's errors on the validation period are, cell by cell."""
    script("dress.py", monkeypatch, 40, net, tmp_path / "dressed")
    name = "y_hat.nc"
    with xr.open_dataset(net / name) as plain, xr.open_dataset(tmp_path / "dressed" / name) as many:
        noise = (many.t2m - plain.t2m).values
    assert len(noise) == 40
    flat = noise.reshape(-1, *noise.shape[2:])
    deviation = flat.std(axis=0)
    np.testing.assert_allclose(flat.mean(axis=0), 0, atol=0.3 * deviation.max())
    normal = flat / deviation
    assert abs((normal**4).mean() - 3) < 0.3
    neighbours = (normal[:, 1:] * normal[:, :-1]).mean()
    assert abs(neighbours) < 0.02
    expected = np.sqrt(np.square(validation_errors(net)).mean(axis=0))[::-1]
    np.testing.assert_allclose(deviation, expected, rtol=0.25)
    assert np.corrcoef(deviation.ravel(), expected.ravel())[0, 1] > 0.95
    assert 0 < scores(tmp_path / "dressed")["crps"] < scores(net)["mae"]

    script("ensemble_figure.py", monkeypatch, tmp_path / "dressed", net, tmp_path / "members.png")
    image = matplotlib.image.imread(tmp_path / "members.png")
    assert min(image.shape[:2]) > 400
    assert len(np.unique(image.reshape(-1, image.shape[-1]), axis=0)) > 100


def validation_errors(run: Path) -> np.ndarray:
    """The network's errors (n, y, x) on the validation period, all of it in one batch."""
    shards = Session.of_run(run, "test").shards
    rows = np.arange(shards.size("validation"))
    batch = {
        "coarse": coarse_inputs(shards, rows, "validation"),
        "time": shards.time_features("validation", rows),
    }
    predicted = PhysicalModel.load(run / "model.keras").predict_fields(batch)[0]
    return (predicted - shards.read("hr", "validation", rows))[..., 0]


def test_stages_of_a_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first stage's input is the truth's in both; the last, joined, is the run's own score."""
    run = tmp_path / "run"
    argv = ["--trainer=DeepSDTrainer", "--sr_factors=2,2", "--srcnn_filters=4,4", "--epochs=2"]
    flags = [f for f in flags_for_waves(tmp_path) if not f.startswith(("--n_filters", "--n_bl"))]
    stages = ["train", "test", "metrics", f"--save_path={run}", "--noverbose", "--notensorboard"]
    assert main([*stages, *flags, *argv]) == 0
    capsys.readouterr()
    script("compare_stages.py", monkeypatch, run)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][0] == "t2m,"
    first, last = (dict(zip(lines[1], line, strict=False)) for line in lines[2:])
    assert first["ratio"] == "1.000"
    assert float(last["joined"]) > float(last["alone"]) > 0
    assert float(last["joined"]) == pytest.approx(scores(run)["rmse"], rel=0.02)


def test_errors_at_the_edge(
    net: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shares worked out from the fields themselves; all of the domain is within so many cells."""
    capsys.readouterr()
    script("edge_errors.py", monkeypatch, net, "--cells=2")
    found = [float(word) for word in capsys.readouterr().out.split() if word[0].isdigit()]
    with xr.open_dataset(net / "metrics" / "gridpoint.nc") as scores:
        squared = np.square(scores["rmse"].sel(candidate="model").values)
    inside = squared[2:-2, 2:-2]
    share, cells = 1 - inside.sum() / squared.sum(), 1 - inside.size / squared.size
    np.testing.assert_allclose(found, [share, cells, share / cells], atol=0.006)
    script("edge_errors.py", monkeypatch, net, "--cells=99", "--candidate=bicubic")
    assert "1.000 of the squared error of bicubic in 1.000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "argv"),
    [
        ("dress.py", ["2", "none", "out"]),
        ("ensemble_figure.py", ["none", "none", "out.png"]),
        ("compare_stages.py", ["none"]),
        ("compare_runs.py", ["none", "--against", "none"]),
        ("edge_errors.py", ["none"]),
    ],
)
def test_missing_run_is_refused_in_one_line(
    name: str,
    argv: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        script(name, monkeypatch, *argv)
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "none" in line
