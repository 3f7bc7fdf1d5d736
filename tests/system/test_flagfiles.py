"""Every flagfile of the repository runs for a few steps."""

from pathlib import Path
from typing import Any

import pytest

from app import options
from app.main import main

FOLDER = Path(__file__).resolve().parents[2] / "flagfiles"
FLAGFILES = sorted(str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.cfg"))
BUILT_IN = [name for name in FLAGFILES if name.endswith("quickstart.cfg")]
BENCHMARK = [name for name in FLAGFILES if name.startswith("benchmark/")]
# Of the benchmark, which differs in flags tested elsewhere, the one that is tested on other pairs.
# So do these, each from one that is run.
ALIKE = (
    *("synthetic_advection.cfg", "synthetic_rain.cfg", "era5_uk_6h_to_1h.cfg"),
    *("era5_uk_t2m_ddpm.cfg", "germany_pr_diffusion.cfg", "germany_pr_deepsd.cfg"),
    "germany_pr_ddpm.cfg",
)
LONG = ("era5_uk_t2m_diffusion.cfg", "temporal_quickstart.cfg", "diffusion_quickstart.cfg")
NEED_DATA = [n for n in FLAGFILES if n not in (*BUILT_IN, *BENCHMARK[1:], *ALIKE)]


def marked(names: list[str]) -> list[Any]:
    """Names of flagfiles, those that take long with a marker that says so."""
    return [pytest.param(n, marks=pytest.mark.long) if n in LONG else n for n in names]


@pytest.mark.parametrize("name", FLAGFILES)
def test_flagfile_opens_with_what_time_score_and_command(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FOLDER.parent)
    text = (FOLDER / name).read_text(encoding="utf-8")
    heading = text.split('"""')[1]
    for part in ("What:", "Time:", "Expected:", "Command:", f"flagfiles/{name}"):
        assert part in heading
    options.build(*options.parse([f"--flagfile={FOLDER / name}"]))


def test_benchmark_trains_its_eight_models_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row of the benchmark's table, and nothing else, tells one model from another."""
    monkeypatch.chdir(FOLDER.parent)
    names = {
        *("paired_samples", "test_pairs", "trainer", "backbone", "upsampling", "n_blocks"),
        *("localcon_layer", "loss", "time_window", "n_disc_filters", "n_disc_blocks", "save_path"),
    }
    assert len(BENCHMARK) == 8
    shared = [
        {k: v for k, v in options.parse([f"--flagfile={FOLDER / n}"])[1].items() if k not in names}
        for n in BENCHMARK
    ]
    assert all(values == shared[0] for values in shared)


@pytest.mark.parametrize(
    ("name", "members"),
    [("benchmark/sweep.yml", 30), ("germany_pr_dense.yml", 25), ("dense_quickstart.yml", 4)],
)
def test_sweep_has_its_members(
    name: str, members: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(FOLDER.parent)
    argv = ["sweep", f"--sweep=flagfiles/{name}", f"--save_path={tmp_path}", "--dry_run"]
    assert main(argv) == 0
    assert capsys.readouterr().out.count(" waiting") == members


def smoke(run, name: str, tmp_path: Path, *argv: str) -> None:
    (tmp_path / "flagfiles").symlink_to(FOLDER)
    run(f"--flagfile=flagfiles/{name}", "--debug", "--save_path=out", "--threads=1", *argv)
    assert (tmp_path / "out" / "metrics" / "summary.csv").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", marked(NEED_DATA))
def test_flagfile_runs_on_its_data(name: str, run, real_data: Path, tmp_path: Path) -> None:
    smoke(run, name, tmp_path, f"--data_root={real_data}")


@pytest.mark.slow
@pytest.mark.parametrize("name", marked(BUILT_IN))
def test_flagfile_runs_on_built_in_data(name: str, run, tmp_path: Path) -> None:
    smoke(run, name, tmp_path)
