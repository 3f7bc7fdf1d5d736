"""The page of all flags: docs/options.md is what the code says today."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.options import FLAGS_BY_NAME
from app.options.bounds import Bounds, above
from app.options.reference import _range, _row, reference

PAGE = Path(__file__).resolve().parents[2] / "docs" / "options.md"


def test_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), "run scripts/write_options.py"


def test_each_flag_has_a_row_in_its_section() -> None:
    rows = [line for line in reference().splitlines() if line.startswith(("| `--", "| **`--"))]
    assert len(rows) == len(FLAGS_BY_NAME)
    sections = reference().split("\n## ")
    assert "`--epochs`" in next(part for part in sections if part.startswith("Training"))


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        (None, ""),
        (Bounds(1, 4096), " from 1, to 4096"),
        (Bounds(0, 10**9), " from 0"),
        (above(0, 1), " above 0, to 1"),
        (Bounds(0, 1, with_most=False), " from 0, below 1"),
        (Bounds(-1e30, 1e30), ""),
    ],
)
def test_ranges_leave_out_limits_beyond_any_use(bounds: Bounds | None, text: str) -> None:
    assert _range(bounds) == text


def test_flags_within_a_meaning_stand_as_code() -> None:
    assert "`--scale` as 1" in _row(replace(FLAGS_BY_NAME["scale"], help="takes --scale as 1"))[3]


def test_former_names_defaults_and_values_are_told() -> None:
    epochs = FLAGS_BY_NAME["epochs"]
    assert _row(replace(epochs, aliases=("passes",)))[0].endswith("<br>also `--passes`")
    assert _row(epochs)[1:3] == ("`100`", "whole number from 1")
