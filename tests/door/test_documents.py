"""What docs/python.md, docs/extending.md and flagfiles/notebook.py show works."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

import app
from app import options, plugins
from app.main import main
from app.registry import REGISTRY
from tests.system.test_served_input import COARSE_LAT, COARSE_LON, LAT, LON, waves

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = ["--n_filters=4", "--n_blocks=1", "--batch_size=8", "--threads=1", "--notensorboard"]


def blocks(name: str, language: str) -> list[str]:
    text = (REPOSITORY / "docs" / name).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def files_of_extending() -> dict[str, str]:
    """The plugins shown, by the name in their first line."""
    return {block.split()[1]: block for block in blocks("extending.md", "python")}


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, text in files_of_extending().items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    yield f"--plugins={','.join(files_of_extending())}"
    plugins.use(())


def test_each_plugin_shown_registers_its_name(written: str) -> None:
    options.parse([written])
    found = {
        kind: [e.name for e in REGISTRY.entries(kind) if e.path.startswith(plugins.PREFIX)]
        for kind in REGISTRY.kinds()
    }
    assert {kind: names for kind, names in found.items() if names} == {
        "backbone": ["plain"],
        "loss": ["squared"],
        "metric": ["largest"],
        "baseline": ["smooth"],
        "source": ["hills"],
        "trainer": ["HalvedTrainer"],
    }


def test_commands_shown_are_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("log_cosh", "gradient"):
        text = (REPOSITORY / "tests" / "extension" / "plugins" / f"{name}.py").read_text()
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    commands = [line for block in blocks("extending.md", "bash") for line in block.splitlines()]
    assert len(commands) == 2
    for command in commands:
        words, values = options.parse(shlex.split(command.removeprefix("finescale")))
        options.build(words, values)
    plugins.use(())


@pytest.mark.slow
def test_the_plugins_shown_work_together(written: str, tmp_path: Path) -> None:
    argv = ["train", "test", "metrics", written, "--data=hills:200", "--variable=t2m", *SMALL]
    argv += ["--loss=squared", "--backbone=plain", "--trainer=HalvedTrainer", "--epochs=1"]
    assert main([*argv, "--cache_dir=cache", "--save_path=run"]) == 0
    table = app.Run(tmp_path / "run").table
    assert table["model"]["max_error"] >= table["model"]["rmse"] > 0
    assert table["smooth"]["mae"] <= table["nearest"]["mae"]


@pytest.mark.long
def test_the_chapter_runs_from_top_to_bottom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    waves(LAT, LON, 100).to_netcdf("fine.nc")
    waves(COARSE_LAT, COARSE_LON, 12, "2021-01-01").to_netcdf("coarse.nc")
    waves(LAT, LON, 12, "2021-01-01").to_netcdf("truth.nc")
    flags = ["--data=fine.nc", "--variable=t2m", "--scale=4", "--epochs=1", *SMALL]
    flags += ["--first_guess=bicubic"]  # for tiles
    assert main(["train", *flags, "--save_path=runs/first"]) == 0
    names: dict[str, Any] = {}
    for block in blocks("python.md", "python"):
        exec(compile(block, "docs/python.md", "exec"), names)
    assert names["fine"].sizes["lat"] == LAT.size
    assert names["table"].value["rmse"] > 0
    assert "pressure" in capsys.readouterr().out


@pytest.mark.long
def test_the_notebook_runs_cell_by_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a few steps instead of two epochs."""
    text = (REPOSITORY / "flagfiles" / "notebook.py").read_text(encoding="utf-8")
    assert text.count("epochs=2") == 1
    (tmp_path / "flagfiles").symlink_to(REPOSITORY / "flagfiles")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for cell in text.replace("epochs=2", "debug=True").split("# %%"):
        exec(compile("#" + cell, "flagfiles/notebook.py", "exec"), names)
    assert names["fine"].t2m.shape == (40, 64, 64)
    assert "covers" in capsys.readouterr().out.splitlines()[-1]
