"""`init` writes what `check`, `train` and `metrics` run as it is, from any folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app import options
from app.data.reading.yaml_description import from_yaml
from app.main import main
from app.registry import REGISTRY
from tests.system.conftest import fields, run_in, scores
from tests.system.test_check import rain

FILES = ("data.yml", "experiment.cfg", "job.sbatch")
SRUN = '#!/bin/sh\nshift 2\nexec "$@"\n'
PYTHON = '#!/bin/sh\nprintf "%s\\n" "$@"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with two files of a temperature, and one of hourly rain."""
    monkeypatch.chdir(tmp_path)
    whole = fields(n=120, y=24, x=24)
    for name, part in (("a 1.nc", slice(0, 60)), ("a 2.nc", slice(60, None))):
        whole.isel(time=part).to_netcdf(name)
    rain().to_netcdf("rain.nc")
    return tmp_path


def begin(*argv: str, code: int = 0) -> None:
    assert main(["init", "my run", *argv, "--noverbose"]) == code


TEMPERATURE = ("--data=a ?.nc", "--variable=t2m", "--static=a 1.nc:orography", "--scale=4")


def test_files_are_written_that_check_reads_from_any_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(*TEMPERATURE, "--epochs=7", "--region=52:60,-4:5")
    shown = capsys.readouterr().out
    made = folder / "my run"
    assert sorted(path.name for path in made.iterdir()) == sorted(FILES)
    assert all(str(made / name) in shown for name in FILES)
    monkeypatch.chdir("/")
    flagfile = f"--flagfile={made / 'experiment.cfg'}"
    experiment = options.build(*options.parse(["train", flagfile]))
    assert (experiment.sampling.scale, experiment.training.epochs) == (4, 7)
    assert experiment.save_path == made / "run"
    assert experiment.cache_dir == made / "cache"
    assert main(["check", flagfile, "--noverbose"]) == 0
    assert "a step of 6h" in capsys.readouterr().out


def test_periods_are_the_shares_that_data_without_a_yaml_have(folder: Path) -> None:
    begin(*TEMPERATURE)
    plain = options.build(*options.parse(["check", *TEMPERATURE])).data
    written = from_yaml(str(folder / "my run" / "data.yml"), "")
    plans = [REGISTRY.resolve("task", "space")().plan(data, 4, 0) for data in (plain, written)]
    ours, theirs = ({k: list(s.stamps.seconds) for k, s in p.splits.items()} for p in plans)
    assert ours == theirs
    assert written.splits.kind == "dates"
    assert written.predictand is not None
    assert written.predictand.files == (str(folder / "a ?.nc"),)
    assert written.predictand.variables[0].units == "K"
    assert written.static[0].variables[0].name == "orography"


def test_rain_is_told_by_its_values_and_what_flags_say_wins(folder: Path) -> None:
    begin("--data=rain.nc", "--variable=tp", "--transform=sqrt", "--splits=kind: blocks, block: 5D")
    written = from_yaml(str(folder / "my run" / "data.yml"), "")
    assert written.predictand is not None
    (variable,) = written.predictand.variables
    assert (variable.kind, variable.valid_min, variable.transform) == ("ratio", 0, "sqrt")
    assert (variable.units, variable.accumulation) == ("mm", "1h")
    assert (written.splits.kind, written.splits.block) == ("blocks", "5D")
    text = (folder / "my run" / "experiment.cfg").read_text()
    assert "\n--scale=2\n" in text
    assert "--transform" not in text
    assert "# --recipe=auto chooses" in text


@pytest.mark.parametrize("flag", ["--recipe=dl4ds", "--trainer=CGANTrainer"])
def test_no_recipe_is_told_where_none_is_followed(folder: Path, flag: str) -> None:
    begin(*TEMPERATURE, flag)
    assert "--recipe=auto" not in (folder / "my run" / "experiment.cfg").read_text()


def test_the_recipe_that_is_named_is_told(folder: Path) -> None:
    begin(*TEMPERATURE, "--recipe=ensemble")
    text = (folder / "my run" / "experiment.cfg").read_text()
    assert "# --recipe=ensemble chooses" in text
    assert "\n--recipe=ensemble\n" in text


def test_anomalies_of_rain_are_no_amounts(folder: Path) -> None:
    anomalies = rain()
    (anomalies.tp - anomalies.tp.mean("time")).assign_attrs(units="mm").to_netcdf("anomaly.nc")
    begin("--data=anomaly.nc", "--variable=tp")
    written = from_yaml(str(folder / "my run" / "data.yml"), "")
    assert written.predictand is not None
    assert written.predictand.variables[0].kind is None


@pytest.mark.slow
def test_the_builtin_data(folder: Path) -> None:
    begin("--data=synthetic", "--variable=pr", "--static=synthetic:orography")
    written = from_yaml(str(folder / "my run" / "data.yml"), "")
    assert written.predictand is not None
    assert written.predictand.files == ("synthetic",)
    assert written.predictand.variables[0].units == "mm h-1"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["init", *TEMPERATURE], "expected init DIR --data=FILES"),
        (["init", "a", "b", *TEMPERATURE], "received a, b"),
        (["init", "a", "--variable=t2m"], "expected init DIR --data=FILES"),
        (["init", "a", "--data=a 1.nc"], "a 1.nc has t2m, orography"),
        (["init", "a", "--data=a 1.nc", "--variable=t"], "no variable 't'; there are: t2m"),
        (["init", "a", *TEMPERATURE, "--flagfile=x.cfg"], "cannot read"),
        (["init", "a$b", *TEMPERATURE], "$b is not set"),
        (["init", "a", *TEMPERATURE, "--sbatch_options=x"], "'x' is no option"),
        (["init", "a", *TEMPERATURE, "--scale=50"], "scale"),
    ],
)
def test_refusals_are_one_line_and_nothing_is_written(
    argv: list[str], expected: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.iterdir())
    assert main([*argv, "--noverbose"]) == 2
    error = capfd.readouterr().err
    assert expected in error
    assert error.count("\n") == 1
    assert sorted(folder.iterdir()) == before


def test_nothing_is_replaced_without_being_asked(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    begin(*TEMPERATURE)
    mine = folder / "my run" / "data.yml"
    mine.write_text("mine")
    (folder / "my run" / "job.sbatch").unlink()
    begin(*TEMPERATURE, code=2)
    assert "data.yml and 1 more there already" in capfd.readouterr().err
    assert mine.read_text() == "mine"
    assert not (folder / "my run" / "job.sbatch").exists()
    begin(*TEMPERATURE, "--overwrite")
    assert "predictand" in mine.read_text()
    assert "overwrite" not in (folder / "my run" / "experiment.cfg").read_text()


def test_the_job_runs_the_experiment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With stand-ins for srun and Python; its options are lines that Slurm reads."""
    for name, text in (("srun", SRUN), ("python", PYTHON)):
        path = folder / name
        path.write_text(text)
        path.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(folder / "python"))
    begin(*TEMPERATURE, "--sbatch_options=-t 1:00 --partition='a b' --mem=4G")
    made = folder / "my run"
    script = made / "job.sbatch"
    lines = script.read_text().splitlines()
    directives = [line for line in lines if line.startswith("#SBATCH")]
    assert "#SBATCH -t 1:00" in directives
    assert not [line for line in directives if "--time" in line]
    assert "#SBATCH --partition='a b'" in directives
    assert [line for line in directives if "--mem" in line] == ["#SBATCH --mem=4G"]
    assert "PARTITION" not in script.read_text()
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "SLURM_CPUS_PER_TASK": "1"}
    done = subprocess.run(
        ["bash", script, "--epochs=1"], cwd="/", env=environment, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        *("-m", "app", "train", "test", "metrics"),
        *(f"--flagfile={made / 'experiment.cfg'}", f"--save_path={made / 'run'}", "--epochs=1"),
    ]
    checker = shutil.which("shellcheck", path=str(Path(sys.prefix) / "bin"))
    if checker is not None:
        assert subprocess.run([checker, script]).returncode == 0


@pytest.mark.slow
def test_training_and_scores_from_what_was_written(folder: Path) -> None:
    run_in(folder, "init", "new", *TEMPERATURE, "--n_filters=4", "--n_blocks=1", "--threads=1")
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    flagfile = f"--flagfile={folder / 'new' / 'experiment.cfg'}"
    run_in(elsewhere, "train", "test", "metrics", flagfile, "--debug")
    assert scores(folder / "new" / "run")["rmse"] > 0
    assert list(elsewhere.iterdir()) == []
