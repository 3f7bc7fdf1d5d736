"""What is no YAML, or too much of it, ends at once in one line that names the file and the line."""

import os
import time
from pathlib import Path

import pytest

from app.data.reading.yaml_description import from_yaml
from app.data.reading.yaml_text import parse_yaml
from app.errors import InputError

GOOD = "predictand: {files: é.nc, variables: [x]}\n"


def refusal_of(path: Path) -> str:
    with pytest.raises(InputError) as refusal:
        from_yaml(str(path), "/data")
    line = str(refusal.value)
    assert str(path) in line
    assert "\n" not in line
    return line


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_marked_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "data.yml"
    path.write_bytes(GOOD.replace("\n", "\r\n").encode(encoding))
    source = from_yaml(str(path), "/data").predictand
    assert source is not None
    assert source.files == (str(tmp_path / "é.nc"),)


def test_aliases_and_merged_keys_are_written_out() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: [*a, *a]\n"
    one = {"x": "1", "y": "2"}
    assert parse_yaml(text) == {"a": one, "b": {"x": "1", "y": "3"}, "c": [one, one]}


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 30)
)
MERGED = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}\n" for i in range(1, 30)
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (GOOD.encode("latin-1"), "line 1: no UTF-8 text (byte 0xe9); save the file as UTF-8"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "no UTF-8 text"),
        (b"a: \x00", "line 1: not readable as YAML (the character '\\x00' may not stand"),
        (b'a: "\\0"', "line 1: the character '\\x00' may not stand in a text"),
        (b'a: "\\ud800"', "line 1: the character '\\ud800' may not stand in a text"),
        (b'a: "\\U00110000"', "not readable as YAML"),
        (b"predictand:\n\tfiles: a.nc\n", "line 2, column 1: not readable as YAML (a tab stands"),
        (b"a: 1\nb: 2\na: 3\n", "line 3: the key a stands twice in one mapping"),
        (b"a: {x: 1, x: 1}\n", "line 1: the key x stands twice"),
        (b"a: !!python/object:os.system x", "line 1: the tag !!python/object:os.system is not"),
        (b"a: !Mine {x: 1}", "the tag !Mine is not taken"),
        (b"a: !!int '5'", "the tag !!int is not taken"),
        (b"? [1, 2]\n: x\n", "line 1: a key is a list or a mapping; expected a name"),
        (b"a: {'': 1}", "a key is empty"),
        (b"a: &a [*a]", "line 1: an alias stands within what it stands for"),
        (b"a: *nobody", "line 1, column 4: not readable as YAML (found undefined alias 'nobody')"),
        (b"a: 1\n---\nb: 2\n", "not readable as YAML (but found another document)"),
        (b"a: %done", "line 1, column 4: not readable as YAML"),
        (b"[" * 20000, "too many lists in one another"),
        (LAUGHS.encode(), "more than 100000 values, aliases written out"),
        (MERGED.encode(), "more than 100000 values, aliases written out"),
        (b"#" * (2**20 + 1), "expected a YAML data description, not data"),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_refused_at_once(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "data.yml"
    path.write_bytes(content)
    begin = time.process_time()
    assert expected in refusal_of(path)
    assert time.process_time() - begin < 5


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yml")
    assert "no such file" in refusal_of(tmp_path / "none.yml")
    assert "this is a folder, pipe or device" in refusal_of(tmp_path)
    assert "this is a folder, pipe or device" in refusal_of(tmp_path / "pipe.yml")
    with pytest.raises(InputError, match="no such file"):
        from_yaml("a\0b.yml", "/data")
