"""A run goes on with the data it was trained on; others are refused by name, or written down."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from app import options
from app.data.shards import Shards
from app.data.shards.identity import identity_digest
from app.errors import InputError
from app.inference.already import refuse_stale
from app.ranks import Ranks
from app.running.changed_data import refuse_changed_data, refuse_changed_data_of
from app.running.run_data import check_same_data, facts_of_data
from app.running.run_folder import RunFolder
from app.session import Session
from tests.system.conftest import fields

YAML = """
predictand: {files: waves.nc, variables: {t2m: {units: K}}}
static: [{files: waves.nc, variables: [orography]}]
splits:
  train: [2020-01-01, 2020-01-05]
  validation: [2020-01-06, 2020-01-07]
  test: [2020-01-08, 2020-01-10]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a run that looks trained."""
    monkeypatch.chdir(tmp_path)
    fields(n=40, y=8, x=12).to_netcdf("waves.nc")
    Path("data.yml").write_text(YAML, encoding="utf-8")
    folder = RunFolder(Path("run"))
    folder.path.mkdir()
    folder.write_provenance(facts_of_data(folder, shards()))
    folder.model.write_bytes(b"a model")
    return tmp_path


def session(*argv: str) -> Session:
    given = ["--data_config=data.yml", "--scale=4", "--cache_dir=cache", "--save_path=run", *argv]
    return Session(options.build(*options.parse(["test", *given])), Ranks())


def shards() -> Shards:
    return session().shards


def edit_yaml(old: str, new: str) -> None:
    assert old in YAML
    Path("data.yml").write_text(YAML.replace(old, new), encoding="utf-8")


def rewrite(change: Callable[[xr.Dataset], xr.Dataset]) -> None:
    with xr.open_dataset("waves.nc") as found:
        changed = change(found.load())
    changed.to_netcdf("waves.nc")
    os.utime("waves.nc", (2e9, 2e9))


def one_value(data: xr.Dataset) -> xr.Dataset:
    data.t2m[22, 3, 4] += 1.0  # on 6 January
    return data


def higher(data: xr.Dataset) -> xr.Dataset:
    data["orography"] = (data.orography + 10).assign_attrs(data.orography.attrs)
    return data


def first_missing(data: xr.Dataset) -> xr.Dataset:
    return data.isel(time=slice(1, None))


CHANGES = {
    "content": (lambda: rewrite(one_value), "values of the predictand (validation)"),
    "statics": (lambda: rewrite(higher), "static fields"),
    "length": (
        lambda: rewrite(first_missing),
        "train period (20 times, 2020-01-01T00:00 to 2020-01-05T18:00 → 19 times",
    ),
    "split": (
        lambda: edit_yaml("[2020-01-08, 2020-01-10]", "[2020-01-08, 2020-01-09]"),
        "test period (12 times, 2020-01-08T00:00 to 2020-01-10T18:00 → 8 times",
    ),
    "scaling": (lambda: Path("data.yml").write_text(f"{YAML}scaling: minmax\n"), "scaling"),
    "units": (lambda: edit_yaml("units: K", "units: degC"), "variables"),
    "grid": (lambda: rewrite(lambda data: data.isel(lon=slice(0, 8))), "grid"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_changed_data_are_refused_by_name(place: Path, what: str) -> None:
    change, named = CHANGES[what]
    change()
    with pytest.raises(InputError) as refusal:
        refuse_changed_data(session(), "test")
    line = str(refusal.value)
    assert line.startswith("--save_path=run: the data have changed since it was trained: ")
    assert named in line
    assert "\n" not in line


def test_only_what_changed_is_named(place: Path) -> None:
    rewrite(one_value)
    with pytest.raises(InputError) as refusal:
        refuse_changed_data(session(), "test")
    assert refusal.value.args[0].count(";") == 1  # the low resolution is made of the predictand
    edit_yaml("[2020-01-08, 2020-01-10]", "[2020-01-08, 2020-01-09]")
    fields(n=40, y=8, x=12).to_netcdf("waves.nc")
    with pytest.raises(InputError) as refusal:
        refuse_changed_data(session(), "test")
    assert ";" not in refusal.value.args[0]


def test_files_that_were_moved_copied_or_touched_are_the_same_data(place: Path) -> None:
    before = shards().fingerprint
    Path("other").mkdir()
    Path("waves.nc").rename("other/w.nc")
    Path("data.yml").write_text(YAML.replace("waves.nc", "other/w.nc"), encoding="utf-8")
    os.utime("other/w.nc", (1e9, 1e9))
    assert shards().fingerprint != before
    refuse_changed_data(session(), "test")
    assert check_same_data(RunFolder(Path("run")), shards(), accepted=False)


def test_a_rewritten_file_of_the_same_content_is_the_same_data(place: Path) -> None:
    rewrite(lambda data: data)
    refuse_changed_data(session(), "metrics")


def test_accepted_changes_are_written_down(place: Path) -> None:
    before = shards().fingerprint
    rewrite(one_value)
    for _ in range(2):
        refuse_changed_data(session("--accept_changed_data"), "metrics")
    kept = json.loads(Path("run/provenance.json").read_text("utf-8"))
    assert kept["data_fingerprint"] == kept["data"]["fingerprint"] == before
    (used,) = kept["data_accepted"]
    assert (used["stage"], used["fingerprint"]) == ("metrics", shards().fingerprint)
    with pytest.raises(InputError, match="the data have changed"):
        refuse_changed_data(session(), "metrics")


def test_training_on_keeps_both_data(place: Path) -> None:
    folder, before = RunFolder(Path("run")), shards().fingerprint
    rewrite(one_value)
    with pytest.raises(InputError, match="the data have changed"):
        check_same_data(folder, shards(), accepted=False)
    assert not check_same_data(folder, shards(), accepted=True)
    for _ in range(2):
        folder.write_provenance(facts_of_data(folder, shards()))
    kept = json.loads(folder.provenance.read_text("utf-8"))
    assert kept["data_fingerprint"] == kept["data"]["fingerprint"] == shards().fingerprint
    assert [one["fingerprint"] for one in kept["data_before"]] == [before]
    assert check_same_data(folder, shards(), accepted=False)


def test_a_run_that_has_learnt_nothing_takes_any_data(place: Path) -> None:
    folder = RunFolder(Path("run"))
    folder.model.unlink()
    rewrite(one_value)
    assert check_same_data(folder, shards(), accepted=False)
    assert "data_before" not in facts_of_data(folder, shards())


def test_a_model_of_another_run_may_meet_any_data(place: Path) -> None:
    rewrite(one_value)
    refuse_changed_data(session("--model=elsewhere"), "test")


def test_damaged_facts_are_refused_in_a_line(place: Path) -> None:
    for damage in ({}, [], "x", {"periods": 3}, {"periods": {}, "grid": 1}):
        Path("run/provenance.json").write_text(json.dumps({"data": damage}), "utf-8")
        with pytest.raises(InputError, match=r"provenance.json: damaged"):
            refuse_changed_data(session(), "test")


def test_what_has_nothing_left_to_train_meets_changed_data(place: Path) -> None:
    folder = RunFolder(Path("run"))
    refuse_changed_data_of(session(), folder)
    Path("waves.nc").rename("w.nc")
    refuse_changed_data_of(session(), folder)  # which cannot be looked at
    Path("w.nc").rename("waves.nc")
    rewrite(one_value)
    with pytest.raises(InputError, match=r"values of the predictand \(validation\)"):
        refuse_changed_data_of(session(), folder)
    refuse_changed_data_of(session("--accept_changed_data"), folder)
    kept = json.loads(folder.provenance.read_text("utf-8"))
    assert [one["stage"] for one in kept["data_accepted"]] == ["train"]


def test_a_damaged_provenance_is_refused_or_accepted(place: Path) -> None:
    path = Path("run/provenance.json")
    whole = path.read_text("utf-8")
    for damaged in ("[]", "", whole.replace("train", "trait", 1), whole.replace('"data', '"date')):
        path.write_text(damaged, "utf-8")
        with pytest.raises(InputError, match=r"run/provenance.json: damaged \(.*--accept_changed"):
            refuse_changed_data(session(), "test")
        refuse_changed_data(session("--accept_changed_data"), "test")


PAIRS = YAML + "low_resolution: {files: coarse.nc, variables: {t2m: {units: K}}}\n"


def test_other_pairs_meet_a_changed_truth(place: Path) -> None:
    with xr.open_dataset("waves.nc") as found:
        coarse = found[["t2m"]].coarsen(lat=4, lon=4).mean()
        coarse["t2m"].attrs["units"] = "K"
        coarse.to_netcdf("coarse.nc")
    Path("data.yml").write_text(PAIRS, encoding="utf-8")
    explicit = "--test_pairs=explicit"
    refuse_changed_data(session(explicit), "test")
    rewrite(one_value)
    with pytest.raises(InputError) as refusal:
        refuse_changed_data(session(explicit), "test")
    line = str(refusal.value)
    assert "since it was trained: values of the predictand (validation). --accept" in line
    rewrite(higher)
    with pytest.raises(InputError, match="static fields; values of the predictand"):
        refuse_changed_data(session(explicit), "metrics")
    refuse_changed_data(session(explicit, "--accept_changed_data"), "metrics")


def predicted(path: Path, **attributes: str) -> Path:
    xr.Dataset(attrs={"source": "finescale 1.0", **attributes}).to_netcdf(path)
    return path


def test_a_prediction_of_a_model_trained_further_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "model.keras"
    model.write_bytes(b"one epoch")
    digest = hashlib.sha256(b"one epoch").hexdigest()
    path = predicted(tmp_path / "y.nc", model_sha256=digest, data_sha256="d")
    refuse_stale(path, [model], "d")
    refuse_stale(path, [], "d")  # whose model is not known
    model.write_bytes(b"two epochs")
    with pytest.raises(InputError, match=r"y.nc: predicted by another model than .*model.keras"):
        refuse_stale(path, [model], "d")
    with pytest.raises(InputError, match="no prediction of a test period"):
        refuse_stale(predicted(tmp_path / "forecast.nc"), [], "d")


def test_a_prediction_from_other_data_is_refused(place: Path) -> None:
    path = predicted(Path("y.nc"), data_sha256=identity_digest(shards()))
    os.utime("waves.nc", (1e9, 1e9))
    refuse_stale(path, [], identity_digest(shards()))
    rewrite(one_value)
    with pytest.raises(InputError, match=r"y.nc: predicted from other data than there are now"):
        refuse_stale(path, [], identity_digest(shards()))


def test_missing_values_that_stay_are_no_change(place: Path) -> None:
    def hole(data: xr.Dataset) -> xr.Dataset:
        return data.where(data.lat < data.lat.max()).assign(orography=data.orography)

    rewrite(hole)
    folder = RunFolder(Path("run"))
    folder.write_provenance(facts_of_data(folder, shards()))
    os.utime("waves.nc", (1e9, 1e9))
    assert np.isnan(shards().read("hr", "test", np.arange(2))).any()
    assert check_same_data(folder, shards(), accepted=False)
