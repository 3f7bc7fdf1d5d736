"""The model card: what it tells, what it keeps, and that texts of files stay text."""

import json
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from made_runs import made_shards
from memory_shards import fine_grid, perfect_prog

from app.data.description import Variable
from app.errors import InputError
from app.main import main
from app.report.card import card_facts, card_text, markdown, write_card
from app.running.run_folder import RunFolder
from app.tasks.space import SpaceTask

SPEC = {
    "inputs": [{"name": "t2m", "units": "K", "transform": "none"}],
    "outputs": [{"name": "t2m", "units": "K", "long_name": "temperature <b>|x"}],
    "statics": ["orography"],
    "geometry": {"fine": {"lat": [50.0, 50.5, 51.0], "lon": [-2.0, -1.5]}, "scale": 2},
    "domain": {"step": 3600},
}


def saved_model(path: Path, spec: dict = SPEC) -> None:
    """An archive of a model's form, with a configuration and no weights worth the name."""
    config = {"class_name": "PhysicalModel", "config": {"task": "space", "spec": spec}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", b"none")


@pytest.fixture
def run(tmp_path) -> Path:
    folder = tmp_path / "first"
    folder.mkdir()
    saved_model(folder / "model.keras")
    (folder / "history.csv").write_text("epoch,loss,val_loss,seconds\n1,2,2,3.5\n2,1,1,4\n")
    (folder / "provenance.json").write_text(
        json.dumps({"parameters": 99, "data": {"periods": {"train": ["5 times, a to b", "0"]}}})
    )
    return folder


def head_of(text: str) -> dict:
    return yaml.safe_load(re.split(r"^---$", text, flags=re.MULTILINE)[1])


def verdict(folder: Path, variable: str = "t2m") -> None:
    score = {"RMSE": {"value": 0.5, "low": 0.4, "high": 0.6}}
    own = {
        "variable": variable,
        "unit": "K",
        "sentences": ["Half."],
        "candidates": {"model": score},
    }
    (folder / "metrics").mkdir()
    told = {"title": "Scores", "intervals": "Wide.", "variables": [own]}
    (folder / "metrics" / "verdict.json").write_text(json.dumps(told))


def test_a_card_tells_what_the_files_tell(run):
    facts = write_card(run)
    assert json.loads((run / "model.json").read_text()) == facts
    assert facts["training"]["seconds"] == 7.5
    assert facts["training"]["weights"] == 99
    assert facts["grid"] == {
        "scale": 2,
        "latitude": [50.0, 51.0],
        "longitude": [-2.0, -1.5],
        "shape": [3, 2],
    }
    assert facts["periods"] == {"train": "5 times, a to b"}
    text = (run / "MODEL.md").read_text()
    assert "It has not been scored" in text
    assert "temperature &lt;b&gt;\\|x" in text
    assert head_of(text)["license_name"] == "not-chosen-yet"


def test_scores_come_with_the_verdict_of_this_very_model(run):
    verdict(run)
    text = card_text(card_facts(RunFolder(run)))
    assert "| prediction | 0.50 (0.40 to 0.60) |" in text
    results = head_of(text)["model-index"][0]["results"]
    assert results[0]["metrics"] == [{"type": "rmse", "name": "RMSE [K]", "value": 0.5}]
    later = (run / "metrics" / "verdict.json").stat().st_mtime + 10
    os.utime(run / "model.keras", (later, later))
    assert card_facts(RunFolder(run))["scores"] is None


def test_a_licence_stays_until_another_is_named(run):
    write_card(run, "cc-by-4.0")
    write_card(run)
    assert head_of((run / "MODEL.md").read_text())["license"] == "cc-by-4.0"
    write_card(run, "mit")
    assert json.loads((run / "model.json").read_text())["license"] == "mit"


def test_texts_of_files_are_no_markup():
    assert markdown("a|b\n# <i>*c*</i> [d](e)") == "a\\|b \\# &lt;i&gt;\\*c\\*&lt;/i&gt; \\[d\\](e)"


def test_a_name_cannot_leave_the_head(run):
    hostile = "t: [\n---\n# x"
    verdict(run, hostile)
    text = card_text(card_facts(RunFolder(run), "mine\n---\n"))
    head = head_of(text)
    assert head["license"] == "mine ---"
    assert head["model-index"][0]["results"][0]["dataset"]["type"] == "t: [ --- # x"


def test_a_folder_without_a_model_has_no_card(tmp_path):
    assert write_card(tmp_path) is None
    (tmp_path / "model.keras").write_bytes(b"none")
    with pytest.raises(InputError, match=r"not a \.keras file"):
        write_card(tmp_path)


def test_models_are_listed_with_what_their_cards_tell(run, capsys):
    verdict(run)
    assert main(["models", str(run.parent)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split()[0] == str(run)
    told = "t2m  ×2  3×2 cells  trained on 5 times, a to b  RMSE 0.50 K (0.40 to 0.60)"
    assert line.endswith(told)
    (run / "model.json").write_text('{"task": "space"}')
    assert main(["models", str(run)]) == 0
    assert "model.json is damaged" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["models"], ["models", "nowhere"], ["bundle"], ["bundle", "a"]])
def test_what_is_missing_is_told_in_one_line(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("name", ["inside", "taken"])
def test_a_bundle_goes_to_a_folder_of_its_own(run, tmp_path, capsys, name):
    target = run / "bundle" if name == "inside" else tmp_path / "taken"
    if name == "taken":
        target.mkdir()
        (target / "mine.txt").touch()
    assert main(["bundle", str(run), f"--output={target}"]) == 2
    assert "none of a bundle" in (said := capsys.readouterr().err) or "lies in the run" in said
    assert not (target / "model.keras").exists()


def test_a_sample_is_the_block_mean_of_the_first_test_times():
    hr = np.random.default_rng(5).normal(size=(40, 8, 12, 1)) + 280
    shards = perfect_prog(hr, scale=4, grid=fine_grid(8, 12), step_hours=24)
    sample = SpaceTask().sample(shards)["v0"]
    assert sample.dims == ("time", "lat", "lon")
    assert sample.attrs["units"] == "K"
    weights = shards.geometry.fine.cell_areas()[:4, :4]
    expected = np.average(hr[32, :4, :4, 0], weights=weights)
    assert float(sample[0, 0, 0]) == pytest.approx(expected, abs=1e-4)
    np.testing.assert_array_equal(sample["time"], shards.times("test")[:8])


def test_levels_of_a_file_give_no_sample():
    variables = (Variable("ta850", "ta", units="K", level=850.0),)
    with pytest.raises(InputError, match="level of ta"):
        SpaceTask().sample(made_shards(variables))


def test_what_is_sent_holds_no_password(run, tmp_path):
    secret = "--data_root=https://me:hunter2@host/data?token=abc"
    (run / "experiment.cfg").write_text(f"{secret}\n--scale=2\n")
    assert main(["bundle", str(run), f"--output={tmp_path / 'out'}"]) == 0
    assert main(["report", f"--save_path={run}"]) == 0
    for path in (tmp_path / "out" / "experiment.cfg", run / "report.html"):
        text = path.read_text()
        assert "***" in text, path
        assert "hunter2" not in text, path
        assert "token=abc" not in text, path
