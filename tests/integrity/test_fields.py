"""Predictions have checksums: no flipped byte changes what is read unnoticed."""

import random
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from app.data.description import Variable
from app.data.times import Stamps
from app.errors import Damage
from app.grids import Grid
from app.inference import writer
from app.inference.writer import Layout, unfinished, written_with
from app.integrity.trailer import damage, is_sealed, seal

VARIABLES = (Variable("t2m", "t2m", units="K"), Variable("pr", "pr", units="mm"))
GRID = Grid(np.arange(3.0)[::-1], np.arange(4.0))
STAMPS = Stamps(3600 * np.arange(6))
KNOWN = {"data_fingerprint": "d", "model_sha256": "m", "source": "finescale 1"}
LAYOUT = Layout(GRID, VARIABLES, KNOWN, members=2)
FIELDS = np.random.default_rng(0).normal(size=(2, 6, 3, 4, 2)).astype("float32")


def write(path: Path, stop_after: int = 6, confirm=lambda: None) -> int:
    """Write the fields two at a time; how many were there already."""
    with LAYOUT.growing_file(path, STAMPS, confirm=confirm) as file:
        before = file.written
        while file.written < stop_after:
            rows = slice(file.written, file.written + 2)
            file.append(LAYOUT.fields_of(FIELDS[:, rows]))
        if stop_after < 6:
            raise KeyboardInterrupt
    return before


def content(path: Path) -> list:
    """All that a reader sees."""
    with netCDF4.Dataset(path) as file:
        file.set_auto_maskandscale(False)
        attributes = sorted((n, str(file.getncattr(n))) for n in file.ncattrs())
        variables = [
            (
                name,
                v.dimensions,
                v[...].tobytes(),
                sorted((n, str(v.getncattr(n))) for n in v.ncattrs()),
            )
            for name, v in file.variables.items()
        ]
    return [attributes, *variables]


def flip(path: Path, byte: int, bit: int = 2) -> None:
    changed = bytearray(path.read_bytes())
    changed[byte] ^= 1 << bit
    path.write_bytes(changed)


def test_no_flipped_byte_changes_what_is_read_unnoticed(tmp_path: Path) -> None:
    path, copy = tmp_path / "y.nc", tmp_path / "copy.nc"
    write(path)
    assert is_sealed(path)
    assert damage(path) is None
    whole, before, rng = path.read_bytes(), content(path), random.Random(3)
    places = [rng.randrange(len(whole)) for _ in range(200)]
    noticed = 0
    for byte in (*places, *range(len(whole) - 40, len(whole))):
        copy.write_bytes(whole)
        flip(copy, byte, byte % 8)
        if damage(copy) is None:
            assert content(copy) == before  # of the trailer itself
        else:
            assert damage(copy) == "its checksum differs"
            noticed += 1
    assert noticed >= 200


def test_a_sealed_file_that_is_cut_or_followed_by_others_bytes(tmp_path: Path) -> None:
    path = tmp_path / "y.nc"
    write(path)
    whole = path.read_bytes()
    path.write_bytes(whole[1:])
    assert damage(path) == "its checksum differs"
    for other in (whole[:-1], whole + b"x", b"", b"[]"):
        path.write_bytes(other)
        assert not is_sealed(path)
        assert damage(path) is None  # which says nothing: it is left to the reader
    seal(path)
    assert damage(path) is None
    assert "cannot be read" in (damage(tmp_path / "none.nc") or "")


def test_a_prediction_counts_only_while_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "y.nc"
    write(path)
    assert written_with(path, KNOWN)
    assert not written_with(path, {**KNOWN, "model_sha256": "other"})
    flip(path, path.stat().st_size // 2)
    assert not written_with(path, KNOWN)
    flip(path, path.stat().st_size // 2)
    with netCDF4.Dataset(path, "r+") as file:
        file.setncattr("note", "a user's own")
    assert not is_sealed(path)  # a program has written it: it is taken as it is
    assert written_with(path, KNOWN)


@pytest.mark.parametrize("damaged", [None, "fields", "note", "list"])
def test_an_unfinished_file_goes_on_only_where_it_is_whole(
    tmp_path: Path, damaged: str | None
) -> None:
    whole, path = tmp_path / "whole.nc", tmp_path / "y.nc"
    write(whole)
    with pytest.raises(KeyboardInterrupt):
        write(path, stop_after=4)
    temporary, note = unfinished(path)
    if damaged == "fields":
        with netCDF4.Dataset(temporary, "a") as file:
            file["t2m"][0, 3, 1, 1] = 0
    elif damaged == "note":
        note.write_text(note.read_text().replace('"written": 4', '"written": 6'))
    elif damaged == "list":
        note.write_text("[]")
    assert write(path) == (4 if damaged is None else 0)
    assert content(path) == content(whole)
    assert damage(path) is None


def test_nothing_is_kept_that_was_made_from_damaged_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged() -> None:
        raise Damage("shards are damaged")

    monkeypatch.setattr(writer, "KEEP_EVERY", 0.0)
    for stop_after in (4, 6):
        with pytest.raises(Damage):
            write(tmp_path / "y.nc", stop_after, damaged)
        assert not list(tmp_path.iterdir())
