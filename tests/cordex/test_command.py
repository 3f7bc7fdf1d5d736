"""The command from the tree to the zip; what needs no network."""

import csv
import shutil
import zipfile
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import yaml

from app.cordex.predicting import write_prediction
from app.cordex.scoring import CHANGES, changes_of, pairs_of
from app.cordex.template import read_template
from app.cordex.tree import Tree
from app.cordex.validation import Submission
from app.main import main

ONE = ["--domain=ALPS", "--experiment=ESD_pseudo_reality"]


def test_what_a_tree_holds(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cordex", str(tree.folder)]) == 0
    told = capsys.readouterr().out
    assert "ALPS  CNRM-CM5, transfer to MPI-ESM-LR" in told
    assert told.count("test: 12 files of predictors, 12 with a truth") == 2
    assert main(["cordex", str(tree.folder), "trian"]) == 2
    assert "did you mean 'train'" in capsys.readouterr().err


def test_descriptions_and_flagfiles(tree: Tree, tmp_path: Path) -> None:
    """Both periods of the second experiment, the orography by the submission's name alone."""
    for name, known in (("a-orog", True), ("b", False)):
        words = ["cordex", str(tree.folder), "describe", f"--submission={tmp_path / name}"]
        assert main([*words, "--domain=SA", "--backbone=deepesd", "--epochs=3"]) == 0
        made = tmp_path / name / "experiments"
        assert len(list(made.glob("*.yml"))) == len(list(made.glob("*.cfg"))) == 4
        read = yaml.safe_load((made / "SA_Emulator_hist_future_pr.yml").read_text())
        assert read["splits"]["train"] == [
            ["1961-01-01", "1961-01-03"], ["2080-01-01", "2080-01-03"]
        ]  # fmt: skip
        assert len(read["predictors"][0]["variables"]) == 15
        assert ("static" in read) == known
        flags = (made / "SA_Emulator_hist_future_pr.cfg").read_text().split("\n")
        assert {"--paired_samples=predictors", "--backbone=deepesd", "--epochs=3"} <= set(flags)
        assert "--array=0-3" in (tmp_path / name / "train.sbatch").read_text()


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["check"], ""),
        (["check", "--constraint=additive"], "tasmax has no low-resolution field of its own"),
        (["check", "--first_guess=bilinear"], "has no low-resolution field of its own"),
        (["check", "--backbone=deepesd", "--upsampling=pin"], "expected spc"),
        (["check", "--backbone=deepesd", "--patch_size=8"], "need the whole domain"),
    ],
)
def test_predictors_alone_are_data(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], reason: str
) -> None:
    """Described, prepared and looked at; refused is what needs a coarse field of the target."""
    folder = tmp_path / "own"
    assert main(["cordex", str(tree.folder), "describe", *ONE, f"--submission={folder}"]) == 0
    capsys.readouterr()
    flagfile = folder / "experiments" / "ALPS_ESD_pseudo_reality_tasmax.cfg"
    code = main([*flags, f"--flagfile={flagfile}"])
    told = capsys.readouterr()
    if reason:
        assert (code, reason in told.err) == (2, True)
    else:
        assert code == 0
        assert "predictor t_850" in told.out
        assert "low resolution" not in told.out


def test_one_weight_of_deepesd_a_cell_is_told(
    tree: Tree, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """16 × 16 cells by 2: 8 × 8 of them and two on each side, ten filters, three parameters."""
    folder = tmp_path / "own"
    words = ["cordex", str(tree.folder), "describe", *ONE, f"--submission={folder}"]
    assert main([*words, "--backbone=deepesd"]) == 0
    flagfile = folder / "experiments" / "ALPS_ESD_pseudo_reality_pr.cfg"
    assert main(["check", f"--flagfile={flagfile}"]) == 0
    weights = (12 * 12 * 10 + 1) * 16 * 16 * 3
    assert f"{weights:,} of the layer" in capsys.readouterr().out


@pytest.fixture
def predicted(tree: Tree, accepted: Path, tmp_path: Path) -> list[str]:
    """Words of the command on a submission that is predicted and knows the orography."""
    folder = tmp_path / "truth-orog"
    shutil.copytree(accepted, folder / "predictions")
    flags = ["--domain=ALPS,SA", "--experiment=ESD_pseudo_reality", f"--submission={folder}"]
    assert main(["cordex", str(tree.folder), "describe", *flags]) == 0
    return ["cordex", str(tree.folder), *flags]


def test_a_valid_submission_is_packed(predicted: list[str], tmp_path: Path) -> None:
    assert main([*predicted, "validate", "pack"]) == 0
    with zipfile.ZipFile(tmp_path / "truth-orog" / "truth-orog.zip") as archive:
        names = archive.namelist()
        assert archive.testzip() is None
    assert len(names) == len(set(names)) == 24
    folder = "truth-orog/ALPS_Domain/ESD_pseudo_reality/historical/perfect"
    assert f"{folder}/Predictions_pr_tasmax_CNRM-CM5_1981-2000.nc" in names


def test_an_invalid_submission_is_not_packed(
    predicted: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "truth-orog"
    next(iter((folder / "predictions").rglob("*.nc"))).unlink()
    assert main([*predicted, "pack"]) == 2
    told = capsys.readouterr()
    assert "missing; expected the prediction of" in told.out
    assert "1 reasons to be refused" in told.err
    assert not (folder / "truth-orog.zip").exists()


def test_the_name_tells_of_the_orography(
    predicted: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "truth-orog").rename(tmp_path / "plain")
    assert main([*predicted[:-1], f"--submission={tmp_path / 'plain'}", "pack"]) == 2
    assert "knows the orography; expected a name that ends in -orog" in capsys.readouterr().err


def warmer(tree: Tree, folder: Path, periods: set[str]) -> Submission:
    """The truth of ALPS as a prediction, 1 K too warm at the end of the century."""
    template = read_template(tree.folder / "templates", "ALPS")
    for test in tree.tests("ALPS"):
        if test.condition == "imperfect" or test.period not in periods:
            continue
        assert test.truth is not None
        copy = folder / "copy.nc"
        shutil.copyfile(test.truth, copy)
        with netCDF4.Dataset(copy, "a") as file:
            file["pr"].units = "mm day-1"
            if test.period == "end_century":
                file["tasmax"][...] = file["tasmax"][...] + 1
        fields = dict.fromkeys(("pr", "tasmax"), copy)
        target = folder / "predictions" / test.prediction("ESD_pseudo_reality")
        write_prediction(fields, test.path, template, target, "made")
    templates = tree.folder / "templates"
    experiments = ("ESD_pseudo_reality",)
    return Submission(folder / "predictions", tree, templates, ("ALPS",), experiments)


def test_known_changes(tree: Tree, tmp_path: Path) -> None:
    pairs = list(pairs_of(warmer(tree, tmp_path, {"historical", "end_century"})))
    rows = [dict(zip(CHANGES, row, strict=True)) for row in changes_of(pairs)]
    assert {(row["gcm"], row["variable"]) for row in rows} == {
        (gcm, name) for gcm in ("CNRM-CM5", "MPI-ESM-LR") for name in ("pr", "tasmax")
    }
    for row in rows:
        expected = 1.0 if row["variable"] == "tasmax" else 0.0
        assert abs(row["prediction"] - row["truth"] - expected) < 1e-4
        assert abs(row["mean_abs_bias"] - expected) < 1e-4


def test_scores_of_the_protocol(tree: Tree, tmp_path: Path) -> None:
    submission = warmer(tree, tmp_path, {"end_century"})
    for path in submission.folder.rglob("*MPI*.nc"):
        path.unlink()
    words = ["cordex", str(tree.folder), "score", *ONE, f"--submission={tmp_path}"]
    assert main(words) == 0
    with (tmp_path / "scores" / "scores.csv").open() as file:
        scores = [row for row in csv.DictReader(file) if row["diagnostic"] == "rmse"]
    found = {r["variable"]: float(r["value"]) for r in scores if r["season"] == "annual"}
    assert np.isclose(found["tasmax"], 1.0, atol=1e-4)
    assert found["pr"] == 0


def test_fields_are_laid_on_the_template(tree: Tree, tmp_path: Path) -> None:
    """Rows that run the other way, Celsius, and times in other words."""
    test = tree.tests("SA")[0]
    template = read_template(tree.folder / "templates", "SA")
    assert test.truth is not None
    with netCDF4.Dataset(test.truth) as source, netCDF4.Dataset(tmp_path / "y.nc", "w") as out:
        source.set_auto_maskandscale(False)
        for name, dim in source.dimensions.items():
            out.createDimension(name, len(dim))
        for name, variable in source.variables.items():
            new = out.createVariable(name, "f8", variable.dimensions)
            new.setncatts({n: variable.getncattr(n) for n in variable.ncattrs()})
            flip = tuple(slice(None, None, -1 if d == "lat" else 1) for d in variable.dimensions)
            new[...] = variable[...][flip] - (273.15 if name == "tasmax" else 0)
        out["tasmax"].units = "degC"
        out["time"].units = "hours since 1961-01-01"
        out["time"][...] = out["time"][...] / 60
    target = tmp_path / "out.nc"
    fields = dict.fromkeys(("pr", "tasmax"), tmp_path / "y.nc")
    write_prediction(fields, test.path, template, target, "made")
    with netCDF4.Dataset(target) as own, netCDF4.Dataset(test.truth) as truth:
        for name in ("time", "lat", "lon"):
            np.testing.assert_array_equal(own[name][:], truth[name][:])
            assert own[name].dtype == truth[name].dtype
        np.testing.assert_allclose(own["tasmax"][:], truth["tasmax"][:], atol=1e-3)
        np.testing.assert_allclose(own["pr"][:], truth["pr"][:])
