"""What --overwrite removes from a run folder, what stays, and which folders it refuses."""

import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from absl import logging

from app import options
from app.errors import InputError
from app.inference.already import settled
from app.running.run_files import (
    OWN_FOLDER,
    check_prediction_name,
    contents,
    remove_leftovers,
    remove_training,
)
from app.running.run_folder import RunFolder
from app.training import checkpoints

OWN = (
    *("experiment.cfg", "provenance.json", "history.csv", "model.keras", "dense_weights.nc"),
    *("input_climate.nc", "checkpoints/last", "checkpoints/best.keras"),
    *("checkpoints/step-00000012/arrays.npz", "checkpoints/step-00000012/facts.json"),
    *("checkpoints/step-00000012+/arrays.npz", "checkpoints/.step-00000012.77/arrays.npz"),
    *("tensorboard/events.out.tfevents.1.host.2.0.v2", ".y_hat.nc.unfinished"),
    *(".y_hat.nc.unfinished.json", ".y_hat.part-00000-of-00002.nc"),
    *("metrics/summary.csv", "metrics/maps_t2m.png", "metrics/bins.nc", "metrics/animation.gif"),
    *("stages/joined.json", "stages/stage_1/model.keras", "stages/stage_1/experiment.cfg"),
    *("stages/stage_1/checkpoints/last", "stages/stage_2/history.csv"),
)
PRESENT = ("status.json", ".lock", ".launch/7.json", "stages/stage_1/status.json")
USERS = (
    *("notes.txt", "log.txt", "status.json.bak", "data/t2m.nc", "figures/a.png", "y_hat_kept.nc"),
    *("metrics/remarks.md", "checkpoints/step-00000012/why.txt", "checkpoints/keep/best.keras"),
    *("tensorboard/plugin/x", "model.keras.old", "stages/stage_1/notes.txt", "metrics/my.csv"),
)


def put(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}


def values(*argv: str) -> dict:
    return options.parse([*argv])[1]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    put(folder, (*OWN, *PRESENT, *USERS))
    (folder / "experiment.cfg").write_text(options.as_flagfile(values("--scale=4")), "utf-8")
    return folder


def test_overwriting_removes_the_runs_own_files_alone(run: Path) -> None:
    RunFolder(run).begin(values("--scale=2"), overwrite=True)
    assert files(run) == {"experiment.cfg", *PRESENT, *USERS}
    assert "--scale=2" in (run / "experiment.cfg").read_text("utf-8")
    empty = [p for p in run.rglob("*") if p.is_dir() and not any(p.iterdir())]
    assert not empty


LEFT = (
    *(".experiment.cfg.71", ".status.json.71", ".model.part.keras", ".input_climate.nc.71"),
    *("checkpoints/.last.71", "checkpoints/.best.part.keras", ".lock." + "a1" * 16),
    *("checkpoints/.step-00000012.77/facts.json", "checkpoints/.step-00000012+.7/arrays.npz"),
    *(".metrics.71/summary.csv", ".metrics.71/.bins.csv.71", ".metrics.71/maps_t2m.png"),
    *("..y_hat.nc.unfinished.json.71", ".y_hat.nc.71", ".y_hat_space.nc.71", ".mine.nc.71"),
    *("stages/.joined.json.71", "stages/stage_1/.history.csv.71"),
    "stages/stage_1/checkpoints/.step-00000002.71/arrays.npz",
)
MINE = (
    *(".notes.71", ".config/x", ".backup.2026/model.keras", ".yours.nc.71", ".lock.71"),
    *(".metrics.71/mine.csv", "checkpoints/.step-00000012.77/why.txt", "checkpoints/.x.71"),
    *("metrics/.summary.csv.71", ".y_hat.nc.unfinished", "stages/stage_1/.notes.71"),
)


def test_leftovers_are_removed_and_no_hidden_file_of_the_users(tmp_path: Path) -> None:
    put(tmp_path, (*LEFT, *MINE, *OWN))
    remove_leftovers(tmp_path, ["mine.nc"])
    kept = [name for name in OWN if "/.step" not in name]
    assert files(tmp_path) == {*MINE, *kept}
    assert not (tmp_path / "checkpoints" / ".step-00000012+.7").exists()


def test_older_checkpoints_go_and_what_a_user_put_into_them_stays(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoints.save(tmp_path, step, checkpoints.Checkpoint({"a": np.arange(step)}, {}))
        put(tmp_path, ("step-00000001/why.txt", "step-old/why.txt"))
    assert {name.split("/")[0] for name in files(tmp_path) if "arrays" in name} == {
        "step-00000002",
        "step-00000003",
    }
    assert {"step-00000001/why.txt", "step-old/why.txt"} <= files(tmp_path)
    found = checkpoints.load(tmp_path)
    assert found is not None
    assert len(found.arrays["a"]) == 3


def test_what_was_learnt_is_removed_and_nothing_beside_it(run: Path) -> None:
    remove_training(run)
    learnt = [n for n in OWN if n.startswith("checkpoints/") or n in ("model.keras", "history.csv")]
    assert files(run) == {*OWN, *PRESENT, *USERS} - set(learnt)


@pytest.mark.parametrize("name", ["checkpoints/last", "checkpoints/step-00000012/facts.json"])
def test_a_run_whose_flags_are_gone_is_not_gone_on_with(tmp_path: Path, name: str) -> None:
    put(tmp_path, (name, "notes.txt"))
    folder = RunFolder(tmp_path)
    with pytest.raises(InputError, match=r"holds checkpoints/.* whose experiment\.cfg is missing"):
        folder.check(values(), overwrite=False)
    folder.check(values(), overwrite=True)
    folder.begin(values(), overwrite=True)
    assert files(tmp_path) == {"experiment.cfg", "notes.txt"}


def test_what_stays_is_named(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    monkeypatch.setattr(logging, "warning", lambda text, *parts: told.append(text % parts))
    RunFolder(run).begin(values(), overwrite=True)
    (line,) = told
    for part in ("checkpoints/keep/", "data/", "more"):
        assert part in line
    assert "status.json," not in line


def test_predicted_fields_are_told_by_their_attributes(tmp_path: Path) -> None:
    for name, source in (
        ("y_hat.nc", "finescale 1.0"),
        ("y_hat_space.nc", "someone"),
        ("mine.nc", "finescale 1.0"),
        ("other.nc", "finescale 1.0"),
    ):
        xr.Dataset(attrs={"source": source}).to_netcdf(tmp_path / name)
    found = contents(tmp_path, ["mine.nc"])
    assert set(found.own) == {"y_hat.nc", "mine.nc"}
    assert set(found.foreign) == {"y_hat_space.nc", "other.nc"}


def test_a_name_given_to_the_earlier_prediction_is_known(run: Path) -> None:
    before = values("--inference_save_fname=mine.nc")
    (run / "experiment.cfg").write_text(options.as_flagfile(before), "utf-8")
    xr.Dataset(attrs={"source": "finescale 1.0"}).to_netcdf(run / "mine.nc")
    RunFolder(run).begin(values(), overwrite=True)
    assert not (run / "mine.nc").exists()


def test_a_log_is_the_runs_own_where_a_sweep_made_the_folder(tmp_path: Path) -> None:
    put(tmp_path, ("member.cfg", "log.txt", "notes.txt"))
    assert set(contents(tmp_path).own) == {"member.cfg", "log.txt"}


def test_links_are_not_followed(tmp_path: Path) -> None:
    put(tmp_path, ("run/experiment.cfg", "elsewhere/model.keras", "elsewhere/last"))
    (tmp_path / "run" / "mine").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "run" / "checkpoints").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "run" / "model.keras").symlink_to(tmp_path / "elsewhere" / "model.keras")
    RunFolder(tmp_path / "run").begin(values(), overwrite=True)
    assert files(tmp_path / "elsewhere") == {"model.keras", "last"}
    assert (tmp_path / "run" / "mine").is_symlink()
    found = contents(tmp_path / "run")
    assert (found.links, found.foreign) == (["checkpoints", "model.keras"], ["mine"])


def test_folders_named_like_the_runs_files_are_the_users(tmp_path: Path) -> None:
    put(tmp_path, ("model.keras/x", "history.csv/y"))
    assert contents(tmp_path).foreign == ["history.csv/", "model.keras/"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with data, a description and other runs."""
    put(
        tmp_path,
        (
            *("home/x", "tree/.git/HEAD", "runs/a/experiment.cfg", "runs/a/notes.txt"),
            *("runs/full/experiment.cfg", "runs/full/in/t2m_1.nc", "runs/full/static.nc"),
            *("runs/full/driver.nc", "runs/linked/experiment.cfg", "work/here/x", "data.nc"),
            *("runs/full/stages/stage_1/experiment.cfg", "runs/full/s.csv", "runs/full/cache/x"),
        ),
    )
    description = "predictand: {files: in/*.nc, variables: [t2m]}\n"
    (tmp_path / "runs/full/d.yml").write_text(description, encoding="utf-8")
    outside = f"predictand: {{files: {tmp_path}/runs/full/in/*.nc, variables: [t2m]}}\n"
    (tmp_path / "outside.yml").write_text(outside, encoding="utf-8")
    (tmp_path / "runs/linked/checkpoints").symlink_to(tmp_path / "tree")
    (tmp_path / "link").symlink_to(tmp_path / "runs" / "a")
    (tmp_path / "data_link.nc").symlink_to(tmp_path / "runs" / "full" / "static.nc")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work" / "here")
    return tmp_path


HERE = "../.."  # the place, seen from the working folder
DATA = [f"--data={HERE}/data.nc", "--variable=t2m"]
FULL = f"--save_path={HERE}/runs/full"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([*DATA, "--save_path=/"], "the root of all folders"),
        ([*DATA, "--save_path=~"], "the home folder"),
        ([*DATA, f"--save_path={HERE}/home/.."], "holds the home folder"),
        ([*DATA, f"--save_path={HERE}/tree"], "git work tree"),
        ([*DATA, "--save_path=.."], "holds the current folder"),
        ([*DATA, f"--save_path={HERE}/runs"], "holds another run"),
        ([*DATA, f"--save_path={HERE}/link"], "a link to"),
        ([*DATA, f"--save_path={HERE}/runs/linked"], "checkpoints in it is a link"),
        ([f"--data={HERE}/runs/full/in/*.nc", "--variable=t2m", FULL], "the data description"),
        ([f"--data={HERE}/data_link.nc", "--variable=t2m", FULL], "the data description"),
        ([f"--data_config={HERE}/runs/full/d.yml", FULL], "--data_config reads"),
        ([f"--data_config={HERE}/outside.yml", FULL], "the data description"),
        ([*DATA, f"--static={HERE}/runs/full/static.nc:z", FULL], "the data description"),
        ([*DATA, f"--observations={HERE}/runs/full/s.csv", FULL], "--observations reads"),
        ([*DATA, f"--cache_dir={HERE}/runs/full/cache", FULL], "--cache_dir reads"),
        ([*DATA, f"--regression_from={HERE}/runs/full", FULL], "--regression_from reads"),
        ([*DATA, f"--input={HERE}/runs/full/driver.nc", FULL, "test"], "--input reads"),
    ],
)
def test_folders_that_are_more_than_a_runs(place: Path, argv: list[str], expected: str) -> None:
    before = files(place)
    with pytest.raises(InputError) as refusal:
        options.build(*options.parse(["train", "--scale=4", "--overwrite", *argv]))
    line = str(refusal.value)
    assert line.startswith("--overwrite with --save_path=")
    assert expected in line
    assert "\n" not in line
    assert files(place) == before
    options.build(*options.parse(["train", "--scale=4", *argv]))  # nothing would be removed


def test_a_folder_that_was_never_a_runs_keeps_files_of_such_names(place: Path) -> None:
    own = place / "own"
    put(own, ("history.csv", "metrics/summary.csv", "checkpoints/mine/w.bin"))
    argv = [*DATA, "train", "--scale=4", f"--save_path={HERE}/own"]
    with pytest.raises(InputError, match=r"history\.csv, but none of experiment\.cfg, provenance"):
        options.build(*options.parse([*argv, "--overwrite"]))
    folder = RunFolder(own)
    with pytest.raises(InputError, match=r"holds history\.csv of a run whose experiment\.cfg"):
        folder.check(values(), overwrite=False)


@pytest.mark.parametrize("folder", ["runs/a", "runs/full", "work/here", "new"])
def test_folders_of_one_run_are_taken(place: Path, folder: str) -> None:
    argv = ["train", "--scale=4", "--overwrite", f"--save_path={HERE}/{folder}", *DATA]
    assert options.build(*options.parse(argv)).overwrite


@pytest.mark.parametrize(
    "name",
    [
        *(
            "../y.nc",
            "/tmp/y.nc",
            "a/b.nc",
            "..",
            ".nc",
            ".lock.nc",
            "~/y.nc",
            "y.nc\n",
            "y\u2028.nc",
        ),
        *("model.keras", "checkpoints/last", "status.json", "y_hat.npy", "y_hat", ""),
        *("dense_weights.nc", "input_climate.nc", "metrics/samples.nc", "metrics"),
    ],
)
def test_names_of_predictions_that_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="--inference_save_fname="):
        check_prediction_name("inference_save_fname", name)


@pytest.mark.parametrize("name", ["y_hat.nc", "t2m 2050-2059.nc", "überall.nc", "a,b.nc"])
def test_names_of_predictions_that_are_taken(name: str) -> None:
    check_prediction_name("inference_save_fname", name)
    assert not OWN_FOLDER.fullmatch(name)


def built(*argv: str) -> options.Experiment:
    return options.build(*options.parse(["--scale=4", *DATA, *argv]))


def test_where_predictions_lie(place: Path) -> None:
    run = Path(HERE) / "runs" / "a"
    argv = [f"--save_path={run}", "test"]
    assert built(*argv).prediction == run / "y_hat.nc"
    assert built(*argv, "--inference_save_fname=b.nc").prediction == run / "b.nc"
    assert built(*argv, "--output=b.nc").prediction == Path("b.nc")
    assert built(*argv, f"--output={place}/b.nc").prediction == place / "b.nc"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--output=no/y.nc"], "there is no folder no"),
        (["--output=y.txt"], "ends in .nc"),
        ([f"--output={HERE}/runs/a/y.nc"], "lies in --save_path"),
        ([f"--output={HERE}/data.nc", "--overwrite"], "reads this file"),
        (["--output=x.nc"], "nothing that this program wrote"),
        (["--output=y.nc", "--inference_save_fname=y.nc"], "expected one of them"),
        (["--output=s3://bucket/y.nc"], "an address"),
    ],
)
def test_outputs_that_are_refused(place: Path, argv: list[str], expected: str) -> None:
    Path("x.nc").write_text("a user's own", encoding="utf-8")
    with pytest.raises(InputError) as refusal:
        built("test", f"--save_path={HERE}/runs/a", *argv)
    assert expected in str(refusal.value)
    assert os.path.getsize("x.nc") == len("a user's own")


def test_output_that_is_there_is_replaced_where_asked(place: Path) -> None:
    Path("x.nc").write_text("a user's own", encoding="utf-8")
    argv = ["test", f"--save_path={HERE}/runs/a", "--output=x.nc"]
    assert built(*argv, "--overwrite").prediction == Path("x.nc")


FROM = {"model_sha256": "1", "data_fingerprint": "2"}


def predicted(path: Path, **changes: str) -> None:
    xr.Dataset(attrs={"source": "finescale 1.0", **FROM, **changes}).to_netcdf(path)


def test_a_users_file_in_the_place_of_the_prediction_stays(place: Path) -> None:
    run = place / "runs" / "a"
    experiment = built("test", f"--save_path={run}", "--overwrite")
    assert not settled(experiment, experiment.prediction, FROM)  # nothing is there
    predicted(experiment.prediction)
    assert settled(experiment, experiment.prediction, FROM)
    assert not settled(experiment, experiment.prediction, {**FROM, "model_sha256": "9"})
    predicted(experiment.prediction, data_sha256="3")  # of data of other content
    assert settled(experiment, experiment.prediction, {**FROM, "data_sha256": "3"})
    assert not settled(experiment, experiment.prediction, {**FROM, "data_sha256": "4"})
    predicted(experiment.prediction, source="someone")
    with pytest.raises(InputError, match=r"y_hat.nc: not written by this program"):
        settled(experiment, experiment.prediction, {**FROM, "model_sha256": "9"})
    experiment.prediction.write_bytes(b"damaged")
    assert not settled(experiment, experiment.prediction, FROM)


def test_a_forecast_does_not_take_the_place_of_the_test_period(place: Path) -> None:
    run = place / "runs" / "a"
    experiment = built("test", f"--save_path={run}")
    scored = {**FROM, "data_sha256": "d"}
    predicted(experiment.prediction, data_sha256="d")
    with pytest.raises(InputError, match=r"the prediction of the test period; expected another"):
        settled(experiment, experiment.prediction, FROM)
    assert not settled(experiment, experiment.prediction, {**scored, "data_fingerprint": "3"})
    overwriting = built("test", f"--save_path={run}", "--overwrite")
    assert not settled(overwriting, experiment.prediction, {**FROM, "model_sha256": "9"})
    predicted(experiment.prediction)
    with pytest.raises(InputError, match=r"the prediction of files under --input; expected"):
        settled(experiment, experiment.prediction, scored)


def test_output_of_another_model_stays_without_overwrite(place: Path) -> None:
    argv = ["test", f"--save_path={HERE}/runs/a", "--output=z.nc"]
    predicted(Path("z.nc"))
    other = {**FROM, "model_sha256": "9"}
    assert settled(built(*argv), Path("z.nc"), FROM)
    with pytest.raises(InputError, match=r"--output=z.nc: is there already"):
        settled(built(*argv), Path("z.nc"), other)
    assert not settled(built(*argv, "--overwrite"), Path("z.nc"), other)


def test_members_of_a_sweep_have_no_output_in_common() -> None:
    argv = ["sweep", "--sweep=epochs=1,2", "--output=y.nc", *DATA]
    with pytest.raises(InputError, match="sweep with --output=y"):
        options.build_sweep(*options.parse(argv), argv)
