"""The page of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from app.arrays import Json
from app.metrics.ground import NO_GROUND
from app.report.page.charts import Chart
from app.report.page.cost import Fact, cost, provenance
from app.report.page.documents import rendered
from app.report.page.frames import payload
from app.report.page.maps import Panels, extent_in_words
from app.report.page.pictures import (
    CellScores,
    chosen_times,
    member_panels,
    score_panels,
    times_panels,
)
from app.report.page.run_facts import Predictand, RunFacts
from app.report.page.score_charts import (
    by_hour,
    by_season,
    errors_chart,
    learning,
    probability,
    quantiles,
    season_spectra,
    sources_of,
    spectra,
    strata,
)
from app.report.page.tables import SortableTable, bench_table, full_table, main_table
from app.report.record import PREDICTION, Record
from app.running.masking import masked

TEMPLATE = "run.html.j2"


@dataclass
class Part:
    """What is shown of one predictand."""

    predictand: Predictand
    verdict: Json
    tables: list[SortableTable] = field(default_factory=list)
    everything: SortableTable | None = None
    bench: SortableTable | None = None
    compared: list[str] = field(default_factory=list)
    errors: list[Chart] = field(default_factory=list)
    times: list[Panels] = field(default_factory=list)
    player: Json | None = None
    members: Panels | None = None
    cells: list[Panels] = field(default_factory=list)
    distribution: list[Chart] = field(default_factory=list)
    clock: list[Chart] = field(default_factory=list)
    seasons: list[SortableTable] = field(default_factory=list)


def run_page(run: RunFacts, record: Record | None = None, why_none: str = "") -> str:
    """The HTML of a run.

    record: its test period, None where that cannot be read, for the reason `why_none`.
    """
    predictands = run.predictands or _of_record(record)
    parts = [_part(run, record, one, len(predictands)) for one in predictands]
    notes = [f"Maps of single times are left out: {why_none}."] if why_none else []
    if run.table is None:
        notes.append("Scores are left out: the stage metrics has not run.")
    return rendered(
        TEMPLATE,
        title=run.name,
        lead=_lead(run, record, predictands),
        program=f"finescale {version('finescale')}",
        notes=notes,
        intervals=str((run.verdict or {}).get("intervals", "")),
        scored=str((run.verdict or {}).get("title", "")),
        parts=parts,
        learning=learning(run),
        cost=cost(run),
        provenance=provenance(run),
        flags=changed_flags(run),
    )


def _of_record(record: Record | None) -> tuple[Predictand, ...]:
    if record is None:
        return ()
    several = len(record.variables) > 1
    return tuple(
        Predictand(v.name, v.units or "1", f"[{v.name}]" if several else "")
        for v in record.variables
    )


def _part(run: RunFacts, record: Record | None, predictand: Predictand, shares: int) -> Part:
    salt = f"v{predictand.name}"
    part, sources = Part(predictand, _verdict(run, predictand)), sources_of(run)
    if run.table is not None:
        part.tables.append(main_table(run, run.table, predictand))
        part.everything = full_table(run, run.table, predictand)
        part.bench = bench_table(run, predictand)
        part.compared = run.compared(predictand)
        part.errors = errors_chart(sources, predictand, salt)
    if record is not None:
        _show_fields(part, run, record, shares)
    cells = CellScores.of(run, predictand)
    if cells is not None:
        ground = NO_GROUND if record is None else record.ground
        part.cells = score_panels(run, cells, ground, predictand)
    part.distribution = [
        *spectra(sources, predictand, salt),
        *season_spectra(run, predictand, salt),
        *quantiles(sources, predictand, salt),
        *probability(run, predictand, salt),
    ]
    part.clock = by_hour(sources, predictand, salt)
    tables = by_season(sources, predictand), strata(run, predictand)
    part.seasons = [table for table in tables if table is not None]
    return part


def _show_fields(part: Part, run: RunFacts, record: Record, shares: int) -> None:
    names = [variable.name for variable in record.variables]
    if part.predictand.name not in names:
        return
    channel = names.index(part.predictand.name)
    chosen = chosen_times(run, record, part.predictand)
    if not chosen:
        return
    part.times = times_panels(record, channel, part.predictand, chosen)
    part.members = member_panels(record, channel, part.predictand, chosen[0])
    found = payload(record, channel, chosen[0].row, shares, part.predictand.unit)
    layers = found["data"]["layers"]
    part.player = {
        **found,
        "shown": [name for name in layers if name not in ("low", "high", *record.layers)],
        "members": [name for name in layers if name in record.layers],
        "prediction": PREDICTION,
    }


def _verdict(run: RunFacts, predictand: Predictand) -> Json:
    found = (run.verdict or {}).get("variables", [])
    own: Json = next((one for one in found if one["variable"] == predictand.name), {})
    return {"sentences": own.get("sentences", []), "to_try": own.get("to_try", [])}


def _lead(run: RunFacts, record: Record | None, predictands: Sequence[Predictand]) -> list[Fact]:
    """The first lines: what was downscaled, where, when and how."""
    flags = run.flags
    names = ", ".join(f"{one.name} [{one.unit}]" for one in predictands)
    found: dict[str, Any] = {"Predictand": names or None}
    if flags:
        steps = flags["input_step"], flags["target_step"]
        in_time = all(steps)
        found["Downscaling"] = f"{steps[0]} to {steps[1]}" if in_time else f"×{flags['scale']}"
        found["Method"] = f"{flags['trainer']}, {flags['backbone']}"
    if record is not None:
        found["Domain"] = extent_in_words(record.grid)
        found["Fine grid"] = "{} × {} cells".format(*record.grid.shape)
        found["Shown and scored"] = f"{len(record.judged)} times, " + record.stamps.span().replace(
            "T", " "
        )
    return [(label, str(value)) for label, value in found.items() if value]


def changed_flags(run: RunFacts) -> list[Fact]:
    """Flags that are not at their default; passwords in addresses are left out."""
    from app import options

    return [
        (f"--{name}", masked(options.as_text(value)))
        for name, value in run.flags.items()
        if value != options.FLAGS_BY_NAME[name].default
    ]
