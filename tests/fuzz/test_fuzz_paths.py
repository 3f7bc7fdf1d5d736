"""Whatever a path is called: an existing file is found under its name, the rest is refused."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fuzz_helpers import FUZZED, ODD_TEXTS, accepted_or_refused
from hypothesis import assume, given
from hypothesis import strategies as st

from app.data.reading.paths import absolute, expand, separate
from app.data.reading.plain_description import from_files

LETTERS = st.text(alphabet="ab[]*?!-,=. ~'\"$#é{}()&;|\\:", min_size=1, max_size=8)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        monkeypatch.chdir(name)
        yield Path(name)


@FUZZED
@given(parts=st.lists(LETTERS, min_size=1, max_size=2), other=LETTERS)
def test_a_file_is_found_under_its_name(folder: Path, parts: list[str], other: str) -> None:
    assume(all(part.strip(".") for part in parts))
    with tempfile.TemporaryDirectory(dir=folder) as inner:
        path = Path(inner).joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        (path.parent / "other.nc").touch()
        assert expand([str(path)]) == [str(path)]
        assert str(path) in expand([f"{path.parent}/*"]) or path.name.startswith(".")
        assert absolute(str(path), folder) == str(path)
        accepted_or_refused(lambda: expand([f"{path.parent}/{other}"]))


@FUZZED
@given(text=st.one_of(ODD_TEXTS, LETTERS, st.text(max_size=20)), more=ODD_TEXTS | LETTERS)
def test_any_text(folder: Path, text: str, more: str) -> None:
    assume("/" not in text + more or "://" in text + more)  # nothing outside the folder
    for one in (text, f"{text},{more}", f"{text}/*/{more}"):
        assert "".join(separate(one)).count(",") <= one.count(",")
        accepted_or_refused(lambda one=one: expand([one]))
        accepted_or_refused(lambda one=one: from_files(one, "x", f"{one}:{more}"))
