"""Shipped examples: listed, copied, and in the wheel."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from app import options
from app.main import main
from app.starting import shipped
from tests.system.conftest import fields

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = "from setuptools import build_meta; build_meta.build_wheel('dist')"


def test_all_are_listed_with_what_they_say_of_themselves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["examples"]) == 0
    lines = capsys.readouterr().out.splitlines()
    by_name = {line.split()[0]: line.partition("  ")[2].strip() for line in lines if line}
    assert by_name["flagfiles/quickstart.cfg"].startswith("Temperature over fractal terrain")
    assert by_name["slurm/metrics.sbatch"].startswith("Scores of a finished prediction")
    assert {"flagfiles/data.schema.json", "flagfiles/data/iberia_pr.yml"} <= by_name.keys()
    assert all(by_name[name] for name in shipped.names())


def test_copies_work_where_they_lie_and_replace_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.executable", "/opt/tools/bin/python")
    target = tmp_path / "examples"
    assert main(["examples", str(target)]) == 0
    assert main(["examples", str(target)]) == 2
    assert "there already" in capfd.readouterr().err
    monkeypatch.chdir(target)
    for flagfile in Path("flagfiles").rglob("*.cfg"):
        options.build(*options.parse(["metrics", f"--flagfile={flagfile}"]))
    script = Path("slurm/horovodrun.sbatch").read_text()
    assert ".venv" not in script
    assert "/opt/tools/bin/python" in script
    assert Path("slurm/chain.sh").stat().st_mode & 0o111
    assert (
        Path("flagfiles/quickstart.cfg").read_bytes()
        == (REPOSITORY / "flagfiles/quickstart.cfg").read_bytes()
    )


@pytest.mark.slow
def test_the_wheel_holds_them_and_serves_from_any_folder(tmp_path: Path) -> None:
    """Built by setuptools in a copy of the checkout, unpacked, and used without it."""
    source, site, away = (tmp_path / name for name in ("source", "site", "away"))
    away.mkdir()
    source.mkdir()
    for name in ("app", *shipped.FOLDERS):
        shutil.copytree(
            REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    (source / "dist").mkdir()
    subprocess.run([sys.executable, "-c", BUILD], cwd=source, check=True, capture_output=True)
    (wheel,) = (source / "dist").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(site)

    def program(*argv: str) -> str:
        code = "from app.console import console; console()"
        done = subprocess.run(
            [sys.executable, "-c", code, *argv],
            cwd=away,
            env={"PYTHONPATH": str(site), "HOME": str(tmp_path), "PATH": ""},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    listed = program("examples")
    assert all(name in listed for name in shipped.names())
    program("examples", ".")
    assert "resnet" in program("list")
    fields().to_netcdf(away / "a.nc")
    data = ("--data=a.nc", "--variable=t2m", "--scale=4")
    assert "experiment.cfg" in program("init", "mine", *data)
    schema = (away / "mine" / "data.yml").read_text().splitlines()[0].partition("$schema=")[2]
    assert Path(schema).is_relative_to(site)
    assert Path(schema).is_file()
