"""Saved models: every flipped byte is found, or changes nothing that is read."""

from pathlib import Path
from zipfile import ZipFile

from app.integrity.archives import archive_damage

CONTENT = {"config.json": b'{"layers": 3}', "model.weights.h5": bytes(range(40))}


def test_no_flipped_byte_is_read_unnoticed(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with ZipFile(path, "w") as archive:
        for name, member in CONTENT.items():
            archive.writestr(name, member)
    assert archive_damage(path) is None
    whole, found = path.read_bytes(), 0
    for byte in range(len(whole)):
        for bit in (0, 5, 7):
            changed = bytearray(whole)
            changed[byte] ^= 1 << bit
            path.write_bytes(changed)
            if archive_damage(path) is None:
                with ZipFile(path) as archive:
                    assert {name: archive.read(name) for name in CONTENT} == CONTENT
            else:
                found += 1
    assert found > len(whole)


def test_what_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    assert archive_damage(path) == "it is missing"
    for content in (b"", b"[]", b"PK"):
        path.write_bytes(content)
        assert archive_damage(path) == "damaged: no archive, or one cut short"
    with ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    assert archive_damage(path) == "damaged: model.weights.h5 is missing in it"
