"""What the README shows works: its YAML is read, its commands parse, its files exist."""

import re
import shlex
from pathlib import Path

import pytest

from app import options
from app.data.reading.yaml_description import from_yaml
from app.sweep.spec import read_spec

REPOSITORY = Path(__file__).resolve().parents[1]
TEXT = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, flags=re.DOTALL)
EXAMPLES = [block for language, block in BLOCKS if language == "yaml"]
COMMANDS = [
    line.split("python -m app", 1)[1]
    for language, block in BLOCKS
    if language == "bash"
    for line in block.splitlines()
    if "python -m app" in line
]


def test_yaml_example_is_a_valid_description(tmp_path: Path) -> None:
    example = EXAMPLES[0]
    path = tmp_path / "example.yml"
    path.write_text(example, encoding="utf-8")
    data = from_yaml(str(path), "/data")
    assert data.predictand is not None
    assert [v.name for v in data.predictand.variables] == ["tas", "pr"]
    assert data.predictand.variables[1].source_name == "rr"
    assert data.predictors[0].variables[0].level == 850


def test_yaml_example_of_a_sweep_has_fifteen_members(tmp_path: Path) -> None:
    """Two flagfiles by two rates by three seeds, and one more from three seeds."""
    path = tmp_path / "sweep.yml"
    path.write_text(EXAMPLES[1], encoding="utf-8")
    spec = read_spec(str(path))
    assert len(spec.choices) == 15
    assert (len(spec.exclude), len(spec.compare)) == (1, 1)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_are_accepted(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    argv = shlex.split(command)
    words, values = options.parse(argv)
    if "sweep" in words:
        options.build_sweep(words, values, argv)
    else:
        options.build(words, values)


def test_there_are_commands_and_every_flag_named_exists() -> None:
    assert len(COMMANDS) >= 4
    named = set(re.findall(r"`--(\w+)", TEXT)) - {"extra", "help", "version"}
    for name in named:
        known = name in options.FLAGS_BY_NAME or name.removeprefix("no") in options.FLAGS_BY_NAME
        assert known, name


def test_scripts_and_flagfiles_named_anywhere_exist() -> None:
    folders = [REPOSITORY / name for name in ("flagfiles", "slurm", "scripts", "app")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    texts = [p for p in files if p.suffix in {".cfg", ".yml", ".py", ".sh", ".sbatch"}]
    pattern = re.compile(r"\b(?:scripts|flagfiles|slurm)/[\w/]+\.(?:py|sh|cfg|yml|sbatch)\b")
    named = {
        (path.name, name)
        for path in (REPOSITORY / "README.md", *texts)
        for name in pattern.findall(path.read_text(encoding="utf-8"))
    }
    assert len(named) > 50
    assert not [pair for pair in named if not (REPOSITORY / pair[1]).is_file()]


def test_flagfiles_and_folders_named_exist() -> None:
    for name in re.findall(r"`((?:\w+/)?\w+\.cfg)`", TEXT):
        assert (REPOSITORY / "flagfiles" / name).is_file() or name == "experiment.cfg"


def test_rooms_that_are_drawn_exist_and_none_is_left_out() -> None:
    text = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
    floors = text.split("```")[1]
    drawn = set(re.findall(r"\b([a-z]+)/", floors)) | {"synthetic"}
    rooms = {path.parent.name for path in (REPOSITORY / "app").glob("*/__init__.py")}
    inner = {path.parent.name for path in (REPOSITORY / "app" / "data").glob("*/__init__.py")}
    assert drawn == rooms | inner
