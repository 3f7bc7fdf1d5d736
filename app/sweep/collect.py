"""One table of a sweep: every member, groups over seeds, differences and the best."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.arrays import Json
from app.errors import InputError
from app.metrics.paired import Difference, adjusted, paired_differences
from app.metrics.table import MODEL
from app.running.atomic import write_text
from app.sweep.members import matches, read_index, read_members
from app.sweep.results import (
    Group,
    Result,
    Scores,
    common_baselines,
    grouped,
    metrics_of,
    read_result,
)
from app.sweep.spec import Changes

HONEST = "Chosen by the validation loss alone: scores of the test period would flatter the choice."
SPREADS = (
    "Scores: means over seeds, in brackets the standard deviation over seeds; those over samples,"
    " which are not the uncertainty of a score, stand in groups.csv. val_loss: the lowest of a run."
)
GAP = "  "
Cells = list[str]


@dataclass(frozen=True, eq=False)
class Collected:
    """The text of sweep.txt, and what its figure is drawn from."""

    text: str
    groups: tuple[Group, ...]
    baselines: Scores


def collect(folder: Path) -> Collected:
    """Read all members, and write sweep.csv, groups.csv and sweep.txt."""
    results = [read_result(member) for member in read_members(folder)]
    metrics = metrics_of(results)
    groups = grouped(results)
    _write_csv(folder / "sweep.csv", _member_rows(results, metrics))
    _write_csv(folder / "groups.csv", _group_rows(groups, metrics))
    baselines = common_baselines(results, metrics)
    differences = _differences(read_index(folder).get("compare", []), groups)
    text = "\n".join(
        [
            *_members_text(results, metrics),
            *_groups_text(groups, metrics, baselines),
            *_differences_text(differences),
            *_best_text(groups),
            "",
        ]
    )
    write_text(folder / "sweep.txt", text)
    return Collected(text, tuple(groups), baselines)


def _member_rows(results: Sequence[Result], metrics: Sequence[str]) -> list[Json]:
    names = dict.fromkeys(name for result in results for name in result.member.changes)
    return [
        {
            "number": result.member.number,
            "folder": result.member.folder.name,
            "state": result.state,
            **{name: result.member.changes.get(name, "") for name in names},
            "val_loss": _plain(result.val_loss),
            "seconds": _plain(result.seconds),
            "parameters": result.parameters,
            **{m: _plain(result.scores.get(m, {}).get(MODEL, (math.nan,))[0]) for m in metrics},
            "message": result.message,
        }
        for result in results
    ]


def _group_rows(groups: Sequence[Group], metrics: Sequence[str]) -> list[Json]:
    rows = []
    for group in groups:
        mean, spread = group.val_loss()
        row: Json = {
            "group": group.label,
            "finished": len(group.finished),
            "members": len(group.results),
            "val_loss": _plain(mean),
            "val_loss_seed_std": _plain(spread),
        }
        for metric in metrics:
            for ending, value in zip(("", "_std", "_seed_std"), group.score(metric), strict=True):
                row[metric + ending] = _plain(value)
        rows.append(row)
    return rows


def _write_csv(path: Path, rows: Sequence[Json]) -> None:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, out.getvalue())


def _members_text(results: Sequence[Result], metrics: Sequence[str]) -> list[str]:
    header = ["", "member", "state", "val_loss", *metrics, "seconds", "parameters"]
    rows = [
        [
            f"{result.member.number:03d}",
            result.member.describe(),
            result.state,
            _short(result.val_loss),
            *(_short(result.scores.get(m, {}).get(MODEL, (math.nan,))[0]) for m in metrics),
            _short(result.seconds, 3),
            str(result.parameters or "–"),
        ]
        for result in results
    ]
    failed = [f"{r.member.folder.name} failed: {r.message}" for r in results if r.message]
    return [*_table(header, rows, left=3), *failed]


def _groups_text(
    groups: Sequence[Group], metrics: Sequence[str], baselines: Scores
) -> Iterable[str]:
    """Groups and baselines below each other; nothing where no member has scores."""
    if not metrics:
        return []
    header = ["over seeds", "finished", "val_loss", *metrics]
    rows = [
        [
            group.label,
            f"{len(group.finished)}/{len(group.results)}",
            _with_seeds(*group.val_loss()),
            *(_with_seeds(*group.score(metric)[::2]) for metric in metrics),
        ]
        for group in groups
    ]
    rows += [
        [name, "", "", *(_short(scores.get(m, (math.nan,))[0]) for m in metrics)]
        for name, scores in baselines.items()
    ]
    return ["", *_table(header, rows, left=1), SPREADS]


def _differences(
    pairs: Iterable[Sequence[Changes]], groups: Sequence[Group]
) -> list[tuple[Group, Group, Difference]]:
    """Of each pair of selections that have finished members."""
    found = []
    for selections in pairs:
        first, second = (_selected(selection, groups) for selection in selections)
        if first is None or second is None:
            continue
        own, other = ([one.samples for one in group.finished] for group in (first, second))
        found += [(first, second, one) for one in paired_differences(own, other)]
    told = adjusted([one for _, _, one in found])
    return [(first, second, one) for (first, second, _), one in zip(found, told, strict=True)]


def _selected(selection: Changes, groups: Sequence[Group]) -> Group | None:
    """The group that has all of a selection's values; of several the one that changes least."""
    fitting = [
        group
        for group in groups
        if group.finished and matches(selection, group.changes, group.finished[0].values)
    ]
    fitting.sort(key=lambda group: len(group.changes))
    if len(fitting) > 1 and len(fitting[0].changes) == len(fitting[1].changes):
        raise InputError(
            f"compare: {selection} selects {fitting[0].label} and {fitting[1].label}; expected one"
        )
    return fitting[0] if fitting else None


def _differences_text(found: Sequence[tuple[Group, Group, Difference]]) -> Iterable[str]:
    if not found:
        return []
    header = [
        "RMSE of",
        "less that of",
        "difference",
        "95 % interval",
        "seeds",
        "p",
        "the first is",
    ]
    rows = [
        [
            first.label + one.label,
            second.label,
            f"{one.value:+.4f}",
            f"{one.low:+.4f} to {one.high:+.4f}",
            f"{one.seeds[0]}, {one.seeds[1]}",
            f"{one.p_holm:.2g}",
            one.conclusion,
        ]
        for first, second, one in found
    ]
    note = (
        "Intervals: blocks of consecutive samples, the same for both, and seeds are resampled; "
        "p: of no difference, for all lines together (Holm)."
    )
    return ["", *_table(header, rows, left=2), note]


def _best_text(groups: Sequence[Group]) -> list[str]:
    """The lowest validation loss, among those whose losses compare."""
    kinds: dict[tuple[str, ...], list[Group]] = {}
    for group in groups:
        if group.finished and math.isfinite(group.val_loss()[0]):
            kinds.setdefault(group.finished[0].loss_kind, []).append(group)
    if not kinds:
        return []
    lines = [""]
    if len(kinds) > 1:
        lines.append(
            "Data, pairs or losses differ between members: the best among those that compare."
        )
    for members in kinds.values():
        best = min(members, key=lambda group: group.val_loss()[0])
        run = min(best.finished, key=lambda result: result.val_loss)
        others = f" of {len(members)}" if len(members) > 1 else ", the only one"
        lines.append(
            f"best{others}: {best.label} (val_loss {_with_seeds(*best.val_loss())}), "
            f"its best run {run.member.folder.name}"
        )
    return [*lines, HONEST]


def _plain(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.8g}"


def _short(value: float, digits: int = 4) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}g}"


def _with_seeds(mean: float, spread: float) -> str:
    return _short(mean) + ("" if math.isnan(spread) else f" [{spread:.2g}]")


def _table(header: Cells, rows: Sequence[Cells], left: int) -> list[str]:
    """Aligned columns, the first `left` of them to the left."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return [
        GAP.join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
