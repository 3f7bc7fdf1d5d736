"""The program's own JSON: what was changed in it is damaged, or says the same."""

import json
from pathlib import Path

import pytest
from typing_extensions import TypedDict

from app.integrity.records import Damaged, read_record, write_record


class Kept(TypedDict):
    name: str
    sizes: list[int]
    loss: float


CONTENT = {"name": "t2m", "sizes": [3, 40], "loss": float("inf")}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_record(path, CONTENT)
    assert read_record(path, Kept) == CONTENT
    assert json.loads(path.read_text())["crc32c"]  # beside the content, for people to read
    assert read_record(tmp_path / "none.json", Kept) is None


def test_no_flipped_bit_is_taken_for_another_content(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_record(path, CONTENT)
    whole, refused = path.read_bytes(), 0
    for byte in range(len(whole)):
        for bit in (0, 3, 6):
            changed = bytearray(whole)
            changed[byte] ^= 1 << bit
            path.write_bytes(changed)
            try:
                assert read_record(path, Kept) == CONTENT  # such as another kind of white space
            except Damaged:
                refused += 1
    assert refused > 3 * len(whole) * 0.7


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ("[]", "holds a list, expected an object"),
        ("[" * 100_000, "recursion"),
        ('{"name": 3, "sizes": [], "loss": 1}', "name: Input should be a valid string"),
        ('{"name": "x", "sizes": {}, "loss": 1}', "sizes: Input should be a valid list"),
        ('{"name": "x", "sizes": ["3"], "loss": 1}', "sizes.0: Input should be a valid integer"),
        ('{"name": "x", "sizes": []}', "loss: Field required"),
        ('{"name": "x", "sizes": [], "loss": 1, "crc32d": "1"}', "holds an unknown 'crc32d'"),
        ('{"name": "x", "sizes": [], "loss": 1, "crc32c": "1"}', "its checksum differs"),
        ("\udcff", "decode"),
    ],
)
def test_wrong_content_is_told_in_a_line(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(Damaged, match=reason) as damage:
        read_record(path, Kept, "make it again")
    assert str(damage.value).startswith(f"{path}: damaged (")
    assert str(damage.value).endswith("; make it again")
    assert "\n" not in str(damage.value)


def test_records_without_a_checksum_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"name": "x", "sizes": [1], "loss": 0.5}')
    assert read_record(path, Kept) == {"name": "x", "sizes": [1], "loss": 0.5}
