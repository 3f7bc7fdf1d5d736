"""What README and docs/ show works: YAML is read, commands parse, flags, files and links exist."""

import re
import shlex
from pathlib import Path

import pytest

from app import options
from app.data.reading.yaml_description import from_yaml
from app.options import words as known
from app.sweep.spec import read_spec

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
GUIDE = [REPOSITORY / "README.md", *sorted(DOCS.glob("*.md"))]
OTHERS = ("ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
PAGES = [*GUIDE, *(REPOSITORY / name for name in OTHERS)]
FLAGS_OF_OTHERS = {"bind", "extra", "flagfile", "help", "requeue", "version"}  # not of app.options
FLAGS_OF_OTHERS |= {"alone", "networks", "seconds"}  # of scripts.benchmarks


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language, without their fences."""
    found = re.findall(r"^```(\w+)\n(.*?)^```", text_of(page), flags=re.DOTALL | re.MULTILINE)
    return [block for name, block in found if name == language]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The names that hosts of Markdown give to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


PROGRAM = re.compile(r"(?:python -m app|^finescale) (.*)")
# Plugins of examples do not lie on disk; tests/door/ runs what is shown of them.
SHOWN = [
    pytest.param(found[1], id=f"{page.stem}-{line[-40:]}")
    for page in GUIDE
    for block in blocks(page, "bash")
    for line in block.replace("\\\n", " ").splitlines()
    if (found := PROGRAM.search(line)) and "--plugins" not in line
]
LINKS = [
    (page, target)
    for page in PAGES
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page))
    if "://" not in target
]


def test_yaml_example_is_a_valid_description(tmp_path: Path) -> None:
    path = tmp_path / "example.yml"
    path.write_text(blocks(DOCS / "data.md", "yaml")[0], encoding="utf-8")
    data = from_yaml(str(path), "/data")
    assert data.predictand is not None
    assert [v.name for v in data.predictand.variables] == ["tas", "pr"]
    assert data.predictand.variables[1].source_name == "rr"
    assert data.predictors[0].variables[0].level == 850


def test_yaml_example_of_a_sweep_has_fifteen_members(tmp_path: Path) -> None:
    """Two flagfiles by two rates by three seeds, and one more from three seeds."""
    path = tmp_path / "sweep.yml"
    path.write_text(blocks(DOCS / "sweeps.md", "yaml")[0], encoding="utf-8")
    spec = read_spec(str(path))
    assert len(spec.choices) == 15
    assert (len(spec.exclude), len(spec.compare)) == (1, 1)


@pytest.mark.parametrize("command", SHOWN)
def test_commands_are_accepted(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    argv = shlex.split(command, comments=True)
    words, values = options.parse(argv)
    if words[0] in known.COMMANDS:  # of which some take flags of the data
        stage = "check" if values["data"] else "list"
        options.build((stage,), values | {"output": None})  # that of bundle is a folder
    elif "sweep" in words:
        options.build_sweep(words, values, argv)
    else:
        options.build(words, values)


def test_readme_has_commands_to_set_up_and_to_downscale() -> None:
    commands = [line for line in "".join(blocks(GUIDE[0], "bash")).splitlines() if line]
    assert len(commands) >= 5
    assert len(SHOWN) >= 9


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_flag_named_exists(page: Path) -> None:
    named = set(re.findall(r"`--(\w+)(?![\w-])", text_of(page))) - FLAGS_OF_OTHERS
    assert not [name for name in named if not {name, name.removeprefix("no")} & set(options.KNOWN)]


def test_scripts_and_flagfiles_named_anywhere_exist() -> None:
    folders = [REPOSITORY / name for name in ("flagfiles", "slurm", "scripts", "app")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    texts = [p for p in files if p.suffix in {".cfg", ".yml", ".py", ".sh", ".sbatch"}]
    pattern = re.compile(r"\b(?:scripts|flagfiles|slurm)/[\w/]+\.(?:py|sh|cfg|yml|sbatch)\b")
    named = {
        (path.name, name)
        for path in (*PAGES, *texts)
        for name in pattern.findall(path.read_text(encoding="utf-8"))
    }
    assert len(named) > 50
    assert not [pair for pair in named if not (REPOSITORY / pair[1]).is_file()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_flagfiles_named_exist(page: Path) -> None:
    for name in re.findall(r"`((?:\w+/)?\w+\.cfg)`", text_of(page)):
        assert (REPOSITORY / "flagfiles" / name).is_file() or name == "experiment.cfg"


@pytest.mark.parametrize(
    ("page", "target"), LINKS, ids=[f"{page.stem}-{target}" for page, target in LINKS]
)
def test_links_lead_to_files_and_headings(page: Path, target: str) -> None:
    file, _, anchor = target.partition("#")
    aim = (page.parent / file).resolve() if file else page
    assert aim.exists()
    assert REPOSITORY in aim.parents
    assert not anchor or anchor in anchors(aim)


def test_every_page_of_the_guide_is_linked_from_readme() -> None:
    linked = {(page.parent / target).resolve() for page, target in LINKS if page == GUIDE[0]}
    assert set(GUIDE[1:]) <= linked


def test_html_has_every_page_and_no_broken_link(tmp_path: Path) -> None:
    build = pytest.importorskip("sphinx.cmd.build", reason="needs the extra docs")
    arguments = ["-q", "-W", "--keep-going", "-c", str(DOCS), "-d", str(tmp_path / "trees")]
    assert build.build_main([*arguments, str(REPOSITORY), str(tmp_path / "html")]) == 0
    pages = [(tmp_path / "html" / page.relative_to(REPOSITORY)) for page in PAGES]
    assert all(page.with_suffix(".html").is_file() for page in pages)


def test_rooms_that_are_drawn_exist_and_none_is_left_out() -> None:
    text = text_of(REPOSITORY / "ARCHITECTURE.md")
    floors = text.split("```")[1]
    drawn = set(re.findall(r"\b([a-z]+)/", floors)) | {"synthetic"}
    rooms = {path.parent.name for path in (REPOSITORY / "app").glob("*/__init__.py")}
    inner = {path.parent.name for path in (REPOSITORY / "app" / "data").glob("*/__init__.py")}
    assert drawn == rooms | inner
