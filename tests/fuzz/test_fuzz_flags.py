"""Whatever stands on a command line or in a flagfile: values, or a refusal in one line."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fuzz_helpers import FUZZED, ODD_TEXTS, accepted_or_refused
from hypothesis import given
from hypothesis import strategies as st

from app import options

NAMES = sorted(options.FLAGS_BY_NAME)
LINES = st.sampled_from(
    ['""" MODEL """', '"""', "'''", "# note", "// note", "", "  ", "\ufeff", "train", "\t--scale=2",
     "--flagfile=self.cfg", "--flagfile=none.cfg", "--flagfile=", "--flagfile", "--", "-", "---",
     "--=", "--no", "--nono", "--data=a.nc\r"]
)  # fmt: skip


@st.composite
def values(draw: st.DrawFn, name: str) -> str:
    """A value of a flag, near to what it takes."""
    flag = options.FLAGS_BY_NAME[name]
    good = options.as_text(flag.default)
    numbers = st.one_of(st.integers(), st.integers(0, 9), st.floats()).map(str)
    lists = st.lists(numbers, max_size=4).map(",".join)
    choices = st.sampled_from(flag.choices) if flag.choices else st.just(good)
    return draw(st.one_of(st.just(good), choices, numbers, lists, ODD_TEXTS, st.text(max_size=8)))


@st.composite
def arguments(draw: st.DrawFn) -> str:
    """`--name=value` and its kin, now and then misspelt."""
    name = draw(st.sampled_from(NAMES))
    value = draw(values(name))
    kind = draw(st.integers(0, 9))
    if kind == 0:
        cut = draw(st.integers(0, len(name)))
        name = name[:cut] + draw(ODD_TEXTS | st.text(max_size=2)) + name[cut:]
    forms = [f"--{name}={value}", f"--{name}={value}", f"-{name}={value}", f"--{name}",
             f"--no{name}", f"--{name} {value}", value, f"--{name}={value}={value}"]  # fmt: skip
    return draw(st.sampled_from(forms))


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        monkeypatch.chdir(name)
        yield Path(name)


def taken(argv: list[str]) -> None:
    """The values come back from a flagfile of them; the experiment is built or refused."""
    parsed = accepted_or_refused(lambda: options.parse(argv))
    if parsed is not None:
        words, values = parsed
        assert set(values) == set(NAMES)
        Path("again.cfg").write_text(options.as_flagfile(values), encoding="utf-8")
        assert options.parse(["--flagfile=again.cfg"])[1] == values
        known: Any = tuple(word for word in words if word in ("train", "test", "metrics"))
        accepted_or_refused(lambda: options.build(known or ("train",), values))


@FUZZED
@given(argv=st.lists(arguments() | ODD_TEXTS, max_size=5))
def test_command_lines(folder: Path, argv: list[str]) -> None:
    taken(["train", "--data=a.nc", "--variable=t", *argv])


@FUZZED
@given(lines=st.lists(st.one_of(arguments(), LINES, ODD_TEXTS), max_size=6))
def test_flagfiles(folder: Path, lines: list[str]) -> None:
    path = folder / "self.cfg"
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    taken(["train", "--data=a.nc", "--variable=t", f"--flagfile={path}"])


@FUZZED
@given(content=st.binary(max_size=60))
def test_flagfiles_of_any_bytes(folder: Path, content: bytes) -> None:
    path = folder / "self.cfg"
    path.write_bytes(content)
    taken([f"--flagfile={path}"])
