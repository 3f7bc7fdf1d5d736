"""The table of a sweep, on run folders written by hand."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from score_files import samples
from sweep_helpers import planned

from app.metrics.paired import paired_differences
from app.report.comparison import draw_comparison
from app.sweep.collect import collect
from app.sweep.members import SweepRun

DAYS = 70
HEADER = "metric,model,model_std,linear,linear_std\n"


def finish(member: SweepRun, val_losses: list[float], rmse: float) -> None:
    """What a run leaves that ended well; 1.5 s an epoch."""
    folder = member.folder
    rows = [f"{epoch},{loss},1.5" for epoch, loss in enumerate(val_losses)]
    (folder / "history.csv").write_text("\n".join(["epoch,val_loss,seconds", *rows]) + "\n")
    (folder / "provenance.json").write_text(json.dumps({"parameters": 629}))
    (folder / "metrics").mkdir()
    scores = f"mae,{rmse / 2},0.1,1,0.2\nrmse,{rmse},{rmse / 10},2,0.25\nskill_vs_linear,1,,0,\n"
    (folder / "metrics" / "summary.csv").write_text(HEADER + scores)
    samples(folder / "metrics" / "samples.nc", np.full(DAYS, rmse**2))
    member.exit_code.write_text("0\n")
    shutil.copyfile(member.flagfile, member.finished_flagfile)


@pytest.fixture
def members(tmp_path: Path) -> list[SweepRun]:
    """Two rates of two seeds each, the last failed; the worse on the test period validates best."""
    grid = tmp_path / "grid.yml"
    grid.write_text(
        "learning_rate: [1e-3, 3e-4]\nseeds: 2\n"
        "compare: [[{learning_rate: 0.001}, {learning_rate: 0.0003}]]\n"
    )
    found = [one.member for one in planned(tmp_path / "s", str(grid))]
    finish(found[0], [0.5, 0.3, 0.4], 3.0)
    finish(found[1], [0.5, 0.2], 4.0)
    finish(found[2], [0.9, 0.8], 1.0)
    found[3].log.write_text("epoch 1\nfinescale: training loss is nan\n")
    found[3].exit_code.write_text("1\n")
    return found


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_members_and_groups_as_worked_out_by_hand(members: list[SweepRun]) -> None:
    folder = members[0].folder.parent
    text = collect(folder).text
    rows = read(folder / "sweep.csv")
    assert [row["state"] for row in rows] == ["finished"] * 3 + ["failed"]
    assert [row["val_loss"] for row in rows] == ["0.3", "0.2", "0.8", ""]
    assert [row["rmse"] for row in rows] == ["3", "4", "1", ""]
    assert [row["seconds"] for row in rows] == ["4.5", "3", "3", ""]
    assert rows[0]["parameters"] == "629"
    assert rows[3]["message"] == "finescale: training loss is nan"
    first, second = read(folder / "groups.csv")
    assert (first["finished"], second["finished"], second["members"]) == ("2", "1", "2")
    assert float(first["val_loss"]) == pytest.approx(0.25)
    assert float(first["rmse"]) == pytest.approx(3.5)
    assert float(first["rmse_std"]) == pytest.approx(0.35)
    assert float(first["rmse_seed_std"]) == pytest.approx(0.5**0.5)  # n - 1 in the denominator
    assert second["rmse_seed_std"] == ""
    assert f"{members[3].folder.name} failed: finescale: training loss is nan" in text


def test_best_is_chosen_by_the_validation_loss_not_by_the_scores(members: list[SweepRun]) -> None:
    text = collect(members[0].folder.parent).text
    (line,) = [line for line in text.splitlines() if line.startswith("best")]
    assert line.startswith("best of 2: learning_rate=1e-3 (val_loss 0.25")
    assert line.endswith(f"best run {members[1].folder.name}")


def test_losses_that_do_not_compare_have_a_best_each(tmp_path: Path) -> None:
    found = [one.member for one in planned(tmp_path, "loss=mae,mse;n_blocks=2,3")]
    for member, val_loss in zip(found, (0.4, 0.3, 0.1, 0.2), strict=True):
        finish(member, [val_loss], 1.0)
    text = collect(tmp_path).text
    lines = [line for line in text.splitlines() if line.startswith("best of 2")]
    assert ["loss=mae, n_blocks=3" in lines[0], "loss=mse, n_blocks=2" in lines[1]] == [True, True]


def test_baselines_are_shown_where_all_agree(members: list[SweepRun]) -> None:
    folder = members[0].folder.parent
    assert collect(folder).baselines == {"linear": {"mae": (1, 0.2), "rmse": (2, 0.25)}}
    summary = members[0].folder / "metrics" / "summary.csv"
    summary.write_text(summary.read_text().replace("2,0.25", "9,0.25"))
    assert collect(folder).baselines == {}


def test_constant_errors_differ_by_the_same_in_every_resample(members: list[SweepRun]) -> None:
    files = [member.folder / "metrics" / "samples.nc" for member in members[:3]]
    (one,) = paired_differences(files[:1], files[2:])
    assert (one.value, one.low, one.high) == pytest.approx((2.0, 2.0, 2.0))
    # seeds of 3 and 4 are drawn with replacement
    (both,) = paired_differences(files[:2], files[2:])
    assert (both.value, both.low, both.high) == pytest.approx((2.5, 2.0, 3.0))
    text = collect(members[0].folder.parent).text
    assert "+2.5000  +2.0000 to +3.0000" in text


def test_figure_is_drawn(members: list[SweepRun]) -> None:
    folder = members[0].folder.parent
    collected = collect(folder)
    (path,) = draw_comparison(collected.groups, collected.baselines, folder)
    assert path.name == "comparison.png"
    assert path.stat().st_size > 10_000
