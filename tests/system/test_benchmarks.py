"""The benchmarks: what is timed, how it is told, and each question at a tiny size."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest

from app import options
from app.data.shards import Shards
from scripts.benchmarks.__main__ import BEGIN, END, QUESTIONS, main, write_page
from scripts.benchmarks.fields import prepared, write_fields
from scripts.benchmarks.measuring import Cost, cost_of, cost_of_command, in_turns, rates
from scripts.benchmarks.networks import COMMON, NETWORKS, Network, Task
from scripts.benchmarks.questions import scale, stream
from scripts.benchmarks.results import Table, keep, kept, machine, text_of
from scripts.benchmarks.serving import Competitor, Unavailable
from scripts.benchmarks.settings import Settings
from tests.system.conftest import REPOSITORY


def test_cases_take_turns() -> None:
    done: list[str] = []

    def case(name: str) -> Cost:
        done.append(name)
        return Cost(1.0, 1.0)

    costs = in_turns({name: lambda name=name: case(name) for name in "ab"}, 3)
    assert done == list("ababab")
    assert [len(own) for own in costs.values()] == [3, 3]


def test_sleep_takes_time_and_work_takes_the_processor() -> None:
    slept = cost_of(lambda: time.sleep(0.1))
    assert slept.wall >= 0.1
    assert slept.cpu < 0.05
    code = "import time\nwhile time.process_time() < 0.2: pass"
    worked = cost_of_command([sys.executable, "-S", "-c", code])
    assert 0.2 <= worked.cpu < 1.5
    assert worked.peak_mib > 1


def test_commands_that_fail_are_told_with_their_words() -> None:
    with pytest.raises(RuntimeError, match="no such luck"):
        cost_of_command([sys.executable, "-S", "-c", "raise SystemExit('no such luck')"])


def test_ratios_are_of_the_same_turn() -> None:
    costs = {
        "a": [Cost(1.0, 0.5, 10), Cost(4.0, 1.0, 10)],
        "b": [Cost(2.0, 1.0, 10), Cost(2.0, 1.0, 10)],
    }
    row, other = rates(costs, "fields", "b")
    assert row["fields/s"] == [10.0, 2.5]
    assert row["fields/core-s"] == [20.0, 10.0]
    assert row["× b"] == [2.0, 0.5]
    assert row["× b, by core"] == [2.0, 1.0]
    assert other["× b"] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([3.0, 1.0, 2.0], "2.00 (1.00 to 3.00)"),
        ([1234.5], "1,234"),
        (204_363, "204,363"),
        (0.012345, "0.0123"),
        ([float("nan")], "–"),
        ("missing", "missing"),
    ],
)
def test_cells_show_the_median_and_the_range(value: object, text: str) -> None:
    assert text_of(value) == text


def test_page_has_the_tables_that_were_kept(tmp_path: Path) -> None:
    facts = {**machine(), "threads": 1}
    table = Table("prepare", "Preparing data", [{"what": "cp", "GB/s": [1.0]}, {"what": "p"}])
    keep("prepare", facts, [table], tmp_path)
    found = kept("prepare", tmp_path)
    assert found is not None
    assert found[1] == [table]
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    for _ in range(2):
        write_page(page, tmp_path)
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"before\n{BEGIN}\n")
        assert text.endswith(f"{END}\nafter\n")
        assert "old" not in text
        assert text.count("| cp | 1.00 |\n| p |  |") == 1


def test_page_of_the_guide_has_a_place_for_tables() -> None:
    text = (REPOSITORY / "docs" / "performance.md").read_text(encoding="utf-8")
    assert text.index(BEGIN) < text.index(END)
    assert all(f"| `{name}` |" in text for name in QUESTIONS)


def test_link_is_found_in_the_times_of_a_ring() -> None:
    """Two ranks: twice the latency, and each byte once."""
    sums = {str(size): 2 * 5e-5 + size / 2e9 for size in (1024, 65536, 2**24)}
    latency, bandwidth = scale.fitted(sums)
    assert latency == pytest.approx(5e-5)
    assert bandwidth == pytest.approx(2e9)
    assert scale.ring(2, 1e6, latency, bandwidth) == pytest.approx(1e-4 + 5e-4)
    assert scale.ring(512, 1e6, 0.0, 1e9) == pytest.approx(2e-3, rel=0.01)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=lambda network: network.kind)
def test_flags_of_the_networks_are_accepted(network: Network) -> None:
    options.build(*options.parse(["train", *COMMON, *network.flags]))


def test_what_is_not_installed_is_told(tmp_path: Path) -> None:
    task = Task("resnet-spc", threads=1, extra={"compiled": False}).told()
    with pytest.raises(Unavailable, match="No module named 'torch'"):
        Competitor(_without_packages(tmp_path), "with_torch", task, tmp_path / "log").ready()


def _without_packages(folder: Path) -> Path:
    """An interpreter that has the standard library alone."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return script


@pytest.mark.parametrize(
    ("outside", "others"),
    [
        (False, set()),
        pytest.param(True, {"Zarr", "TFRecord", "xarray and dask"}, marks=pytest.mark.slow),
    ],
)
def test_readers_pass_over_the_records(outside: bool, others: set[str], tmp_path: Path) -> None:
    write_fields(tmp_path / "x.nc", 64, stream.CELLS)
    shards = Shards.open(prepared(tmp_path / "x.nc", tmp_path / "cache"))
    table = stream.rates(shards, tmp_path, Settings(runs=1, outside=outside))
    by_name = {row["what"]: row for row in table.rows}
    assert by_name[stream.GATHER][f"× {stream.GATHER}, bytes"] == [1.0]
    assert {"netCDF4, one by one", "finescale: patches"} | others <= set(by_name)
    assert all(np.isfinite(row["records/s"]).all() for row in table.rows)


@pytest.mark.slow
@pytest.mark.parametrize("question", QUESTIONS)
def test_questions_are_answered(question: str, tmp_path: Path) -> None:
    small = ["--small", "--alone", "--runs=1", "--seconds=0.1", f"--folder={tmp_path}"]
    assert main([question, "--networks=resnet-spc", *small]) == 0
    found = kept(question, tmp_path)
    assert found is not None
    assert all(table.rows for table in found[1])
