"""Every flagfile of the repository runs for a few steps."""

from pathlib import Path

import pytest

from app import config, flags

FOLDER = Path(__file__).resolve().parents[2] / "flagfiles"
FLAGFILES = sorted(path.name for path in FOLDER.glob("*.cfg"))
BUILT_IN = [name for name in FLAGFILES if name.endswith("quickstart.cfg")]
NEED_DATA = [name for name in FLAGFILES if name not in BUILT_IN]


@pytest.mark.parametrize("name", FLAGFILES)
def test_flagfile_opens_with_what_time_score_and_command(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FOLDER.parent)
    text = (FOLDER / name).read_text(encoding="utf-8")
    heading = text.split('"""')[1]
    for part in ("What:", "Time:", "Expected:", "Command:", f"flagfiles/{name}"):
        assert part in heading
    config.build(*flags.parse([f"--flagfile={FOLDER / name}"]))


def smoke(run, name: str, tmp_path: Path, *argv: str) -> None:
    (tmp_path / "flagfiles").symlink_to(FOLDER)
    run(f"--flagfile=flagfiles/{name}", "--debug", "--save_path=out", "--threads=1", *argv)
    assert (tmp_path / "out" / "metrics" / "summary.csv").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", NEED_DATA)
def test_flagfile_runs_on_its_data(name: str, run, real_data: Path, tmp_path: Path) -> None:
    smoke(run, name, tmp_path, f"--data_root={real_data}")


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILT_IN)
def test_flagfile_runs_on_built_in_data(name: str, run, tmp_path: Path) -> None:
    smoke(run, name, tmp_path)
