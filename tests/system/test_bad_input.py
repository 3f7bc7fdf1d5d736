"""Bad input ends in one clear line and exit code 2, before any work is lost."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from app.main import main
from tests.system.conftest import fields

SPLITS = {
    "train": ["2020-01-01", "2020-01-05"],
    "validation": ["2020-01-06", "2020-01-07"],
    "test": ["2020-01-08", "2020-01-10"],
}
MODULE = "import numpy as np\ndata_train = np.zeros((8, 8, 8, 1))\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with good files and some bad ones."""
    monkeypatch.chdir(tmp_path)
    good = fields(n=40, y=8, x=12)
    good.to_netcdf("good.nc")
    good.isel(time=slice(30, None)).to_netcdf("late.nc")
    good.t2m.rename("v").assign_attrs(units="m s-1").to_netcdf("good_v.nc")
    good[["t2m"]].assign_coords(lon=good.lon + 90).to_netcdf("elsewhere.nc")
    good.where(good.time < good.time[20]).to_netcdf("half_missing.nc")
    good[["t2m"]].isel(time=[0, 1, 1, 2]).to_netcdf("twice.nc")
    good[["t2m"]].isel(time=0, drop=True).to_netcdf("timeless.nc")
    Path("corrupt.nc").write_bytes(Path("good.nc").read_bytes()[:3000])
    Path("text.nc").write_text("no NetCDF at all")
    Path("module.py").write_text(MODULE)
    Path("broken.py").write_text("import numpy as np\ndata_train = np.zeros((3,)) + None\n")
    return tmp_path


def config(**changes: object) -> str:
    """A YAML data description with some keys changed."""
    content = {
        "predictand": {"files": "good.nc", "variables": ["t2m"]},
        "splits": SPLITS,
        **changes,
    }
    import yaml

    Path("data.yml").write_text(yaml.safe_dump(content))
    return "--data_config=data.yml"


GOOD = ["--data=good.nc", "--variable=t2m", "--scale=2"]
LATE = {**SPLITS, "train": ["2019-01-01", "2019-06-30"]}
SECOND = {"files": "elsewhere.nc", "variables": ["t2m"]}

CASES: dict[str, tuple[Callable[[], list[str]], str]] = {
    "missing file": (
        lambda: ["train", "--data=nowhere.nc", "--variable=t2m"],
        "nowhere.nc",
    ),
    "glob without a match": (
        lambda: ["train", "--data=no_*.nc", "--variable=t2m"],
        "no_*.nc",
    ),
    "variable not in file": (
        lambda: ["train", "--data=good.nc", "--variable=t2n"],
        "t2m",
    ),
    "corrupt file": (lambda: ["train", "--data=corrupt.nc", "--variable=t2m"], "corrupt.nc"),
    "file of another kind": (lambda: ["train", "--data=text.nc", "--variable=t2m"], "text.nc"),
    "no time axis": (lambda: ["train", "--data=timeless.nc", "--variable=t2m"], "time"),
    "time twice": (lambda: ["train", "--data=twice.nc", "--variable=t2m"], "twice.nc"),
    "period without data": (lambda: ["train", config(splits=LATE)], "2019-01-01 to 2019-06-30"),
    "no validation period": (
        lambda: ["train", config(splits={k: v for k, v in SPLITS.items() if k != "validation"})],
        "the stage train needs a validation period; the data description has train, test",
    ),
    "no validation share": (
        lambda: ["train", config(splits={"kind": "fractions", "fractions": [0.8, 0, 0.2]})],
        "needs a validation period",
    ),
    "no test period": (
        lambda: ["metrics", config(splits={k: v for k, v in SPLITS.items() if k != "test"})],
        "the stage metrics needs a test period",
    ),
    "all-NaN split": (
        lambda: ["train", "--data=half_missing.nc", "--variable=t2m"],
        "every value in the split",
    ),
    "grids that do not overlap": (
        lambda: ["train", config(low_resolution=SECOND), "--paired_samples=explicit"],
        "overlap",
    ),
    "scale larger than the grid": (lambda: ["train", *GOOD, "--scale=20"], "20"),
    "scale zero": (lambda: ["train", *GOOD, "--scale=0"], "--scale=0"),
    "negative epochs": (lambda: ["train", *GOOD, "--epochs=-1"], "--epochs=-1"),
    "wrong module": (lambda: ["train", "--data_module=good.nc"], "good.nc"),
    "module that fails": (lambda: ["train", "--data_module=broken.py"], "line 2"),
    "module without a needed name": (lambda: ["train", "--data_module=module.py"], "data_val"),
    "typo in flag": (lambda: ["train", *GOOD, "--epocs=3"], "did you mean 'epochs'"),
    "typo in YAML key": (lambda: ["train", config(splitz={})], "did you mean 'splits'"),
    "wrong units": (
        lambda: [
            "train",
            config(predictand={"files": "good.nc", "variables": {"t2m": {"units": "mm"}}}),
        ],
        "mm",
    ),
    "test without a model": (lambda: ["test", *GOOD], "run the stage train first"),
    "metrics without a prediction": (lambda: ["metrics", *GOOD], "run the stage test first"),
    "model that is none": (lambda: ["test", *GOOD, "--model=text.nc"], "text.nc"),
    "device that is not there": (
        lambda: ["train", *GOOD, "--device=GPU", "--epochs=1"],
        "--device=GPU",
    ),
    "patch larger than the grid": (
        lambda: ["train", *GOOD, "--patch_size=64", "--epochs=1"],
        "--patch_size=64",
    ),
    "constraint that needs amounts": (
        lambda: ["train", *GOOD, "--constraint=softmax", "--epochs=1"],
        "--constraint=softmax: t2m (K) has kind interval and valid_min None; expected kind ratio",
    ),
    "constraint without a twin": (
        lambda: [
            *("train", "--constraint=additive", "--paired_samples=explicit", "--epochs=1"),
            config(low_resolution={"files": "good_v.nc", "variables": ["v"]}),
        ],
        "--constraint=additive: t2m has no low-resolution field of its own",
    ),
    "softplus without a lower bound": (
        lambda: ["train", *GOOD, "--output_activation=softplus", "--epochs=1"],
        "--output_activation=softplus: t2m has kind interval and no lower bound",
    ),
    "save path that is a file": (
        lambda: ["train", *GOOD, "--save_path=good.nc", "--epochs=1"],
        "--save_path=good.nc",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_one_clear_line_and_exit_code_two(
    name: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    argv, expected = CASES[name]
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    code = main([*argv(), "--cache_dir=cache", "--noverbose"])
    lines = capfd.readouterr().err.splitlines()
    assert code == 2, lines
    assert len(lines) == 1, lines
    assert lines[0].startswith("finescale: ")
    assert expected in lines[0]
    for path, content in before.items():
        assert path.read_bytes() == content
    assert not (folder / "dl4ds_results").exists()


def test_traceback_on_request(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--scale=0", "--debug_traceback"]) == 2
    assert "Traceback" in capfd.readouterr().err


def test_irregular_times_are_fine_for_spatial_samples(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Gaps make pieces, and no error: only samples of several frames need a regular step."""
    good = xr.open_dataset("good.nc")
    good.isel(time=np.r_[0:10, 13:40]).to_netcdf("gaps.nc")
    argv = ["check", "--data=gaps.nc", "--variable=t2m", "--scale=2", "--cache_dir=cache"]
    assert main(argv) == 0
    assert "1 gap," in capfd.readouterr().out
