"""The table as text and as CSV."""

import csv

import numpy as np

from app.metrics.table import Row, Table

TABLE = Table(
    "Scores",
    ("model", "linear"),
    (
        Row("rmse", "K", {"model": (1.23456789, 0.5), "linear": (2.0, np.nan)}),
        Row("ssim", "1", {"model": (0.5, 0.01)}),
    ),
    ("a note " * 30,),
)


def test_text_is_aligned():
    lines = str(TABLE).splitlines()
    assert lines[2].split() == ["metric", "unit", "model", "linear"]
    assert lines[4].split() == ["rmse", "K", "1.235", "2"]
    assert lines[5].split() == ["ssim", "1", "0.5", "–"]
    assert len({len(line) for line in lines[2:6]}) == 1
    assert max(map(len, lines)) <= 100


def test_csv_leaves_blank_what_is_not_known(tmp_path):
    TABLE.write_csv(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["metric", "model", "model_std", "linear", "linear_std"]
    assert rows[1] == ["rmse", "1.23456789", "0.5", "2", ""]
    assert rows[2] == ["ssim", "0.5", "0.01", "", ""]


def test_value():
    assert TABLE.value("rmse", "linear") == 2.0
    assert np.isnan(TABLE.value("ssim", "linear"))


def test_markdown_has_the_cells_and_the_notes(tmp_path):
    TABLE.write_markdown(tmp_path / "table.md")
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert lines[0] == "# Scores"
    assert lines[2:6] == [
        "| metric | unit | model | linear |",
        "| --- | --- | ---: | ---: |",
        "| rmse | K | 1.235 | 2 |",
        "| ssim | 1 | 0.5 | – |",
    ]
    assert lines[7].startswith("- a note")


def test_latex_escapes_what_is_special(tmp_path):
    row = Row("bias_low[t&p]", "100 %", {"model": (-0.5, np.nan)})
    Table("Scores", ("model",), (row,), ("50 %",)).write_latex(tmp_path / "table.tex")
    assert (tmp_path / "table.tex").read_text().splitlines() == [
        "% Scores",
        "% 50 %",
        r"\begin{tabular}{llr}",
        r"\toprule",
        r"metric & unit & model \\",
        r"\midrule",
        r"bias\_low[t\&p] & 100 \% & -0.5 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
