"""Stage `check`: what the flagfile and the data hold, without training anything."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from app.durations import step_text
from app.integrity import ALWAYS
from app.methods.method import method_of
from app.methods.recipe_choice import follow
from app.session import Session
from app.tasks import task_named

if TYPE_CHECKING:
    from app.data.description import Source
    from app.data.shards import Shards
    from app.data.shards.survey import Comparison, Summary

LABELS = {"hr": "predictand", "lr": "low resolution", "predictors": "predictor"}
WITHHELD = "withheld"  # truth between the known frames of the test period
WIDTH = 100  # columns
MEBI = 2**20


def run(session: Session) -> None:
    """Prepare the data, which validates them, and print what was found and what is odd.

    InputError for everything that training would refuse. Writes below --cache_dir alone.
    """
    shards = session.shards
    if session.experiment.verify == ALWAYS:
        shards.verify()
    follow(session)
    _refuse_what_training_would(session)
    if not session.ranks.first:
        return

    from app.data.shards.advice import notes
    from app.data.shards.survey import Comparison, cycles, persistence, summaries
    from app.training.footprint import notes as against

    _print_grids(shards)
    _print_times(shards)
    found = {split: summaries(shards, split) for split in shards.splits}
    fitted = "train" if "train" in found else shards.splits[0]
    lasting = {
        one.variable.name: persistence(one.series, cycles(shards, fitted), shards.segments(fitted))
        for one in found[fitted]
        if one.role == "hr"
    }
    for split, members in found.items():
        _print_split(shards, split, members, lasting)
    _print_needs(session)
    lines = list(shards.findings)
    if "train" in shards.splits:
        comparison = Comparison.of(shards)
        _print_lags(comparison, _lagged_names(session.description.predictors))
        lines += [*notes(shards, found, lasting, comparison), *against(session.experiment, shards)]
    if lines:
        print()
    for line in lines:
        print(_wrapped(f"note: {line}", 6))
    if session.experiment.verify == ALWAYS:
        print("\nchecksums of all shards agree")


def _refuse_what_training_would(session: Session) -> None:

    experiment, shards = session.experiment, session.shards
    if "train" in shards.splits:
        learnt_from = shards.without_fold(experiment.training.left_out_fold)
        method_of(experiment).check_data(experiment, learnt_from)
    session.observations(shards)


def _print_grids(shards: Shards) -> None:
    print_line("grid", shards.geometry.describe())
    for place, grid in (("fine", shards.geometry.fine), ("source", shards.source_grid)):
        if grid is not None:
            print_line(place, grid.extent())
    statics = ", ".join(f"{v.name} ({v.units or '1'})" for v in shards.variables["static"])
    print_line("static", statics or "none")


def _print_times(shards: Shards) -> None:
    from app.data.shards.advice import amounts

    if not shards.has_times:
        print_line("time", "none: arrays are counted, hour by hour")
        return
    first = shards.splits[0]
    step = shards.step(first)
    text = f"a step of {step_text(step)}" if step else "a single time"
    print_line("time", f"calendar {shards.stamps(first).calendar}, {text}")
    for line in amounts(shards.meanings, task_named(shards.task).takes_instants):
        print_line("amount", line)


def _print_split(
    shards: Shards, split: str, members: Sequence[Summary], lasting: Mapping[str, float]
) -> None:
    """Period, gaps and independent samples of a split, and a row for each variable.

    `lasting`: autocorrelation of each predictand from one step to the next.
    """
    from app.data.shards.survey import independent_samples

    stamps = shards.stamps(split)
    print()
    print(_wrapped(f"{split}: {len(stamps)} times, {stamps.span()}{_gaps(shards, split)}", 2))
    each = (
        f"{name} {independent_samples(len(stamps), r):.0f} (r {r:.2f})"
        for name, r in lasting.items()
    )
    if shards.has_times and split != WITHHELD:
        formula = "n (1 - r) / (1 + r), r of the domain mean at lag 1"
        print(_wrapped(f"  independent samples, {formula}: {', '.join(each)}", 4))
    print(f"  {'':<30}{'units':<12}{'min':>12}{'mean':>12}{'max':>12}{'missing':>10}")
    for found in members:
        alone = found.role == "lr" and not shards.coarse_predictand
        name = f"{LABELS['predictors' if alone else found.role]} {found.variable.name}"
        values = "".join(f" {v:>11.4g}" for v in (found.minimum, found.mean, found.maximum))
        units = found.variable.units or "1"
        print(f"  {name:<30}{units:<12}{values}{found.missing:>10.1%}")


def _gaps(shards: Shards, split: str) -> str:
    """How many gaps a split has and where the longest is, and likewise of too short steps."""

    if split == WITHHELD:
        return ""
    breaks = np.flatnonzero(np.diff(shards.segments(split)))
    stamps = shards.stamps(split)
    lengths = np.diff(stamps.seconds)[breaks]
    step = shards.step(shards.splits[0])
    text = ""
    for noun, chosen, worst, which in (
        ("gap", lengths >= step, np.argmax, "longest"),
        ("shorter step", lengths < step, np.argmin, "shortest"),
    ):
        if chosen.any():
            place = int(worst(lengths[chosen]))
            length, after = int(lengths[chosen][place]), stamps.text(int(breaks[chosen][place]))
            number = int(chosen.sum())
            text += f", {number} {noun}{'s' if number > 1 else ''}, the {which} "
            text += f"{step_text(length)} after {after}"
    return text


def _print_needs(session: Session) -> None:
    """Disk and memory, roughly."""
    from app.training.footprint import dense_weights, disk, memory

    experiment, shards = session.experiment, session.shards
    print()
    print_line("disk", f"{disk(shards) / MEBI:.0f} MiB of shards in {shards.folder}")
    size = experiment.sampling.batch_size
    print_line(
        "memory",
        f"roughly {memory(experiment, shards) / MEBI:.0f} MiB a rank in training, with "
        f"--batch_size={size}, beside the mapped shards",
    )
    if weights := dense_weights(experiment, shards):
        print_line("weights", f"{weights:,} of the layer that leads to every fine cell")


def _print_lags(comparison: Comparison, lagged: Collection[str]) -> None:
    """A table for each predictand; `lagged`: predictors that are meant to be of earlier times."""
    from app.data.shards.survey import LAGS

    shifted = comparison.shifted()
    for predictand, inputs in comparison.lag_correlations().items():
        if not inputs:
            continue
        print(f"\ncorrelation in time with {predictand}, by lag of the input in steps")
        print(f"  {'':<30}" + "".join(f"{lag:>+8d}" for lag in LAGS))
        for name, by_lag in inputs.items():
            off = (predictand, name) in shifted and name not in lagged
            hint = "  shifted stamps?" if off else ""
            values = "".join(f"{'–' if np.isnan(v) else f'{v:.2f}':>8}" for v in by_lag)
            print(f"  {name:<30}{values}{hint}")


def _lagged_names(sources: Iterable[Source]) -> set[str]:
    """Names that earlier time steps of predictors have in the shards."""
    return {
        f"{variable.name}_lag{lag}"
        for source in sources
        for variable in source.variables
        for lag in source.lags
        if lag
    }


def print_line(label: str, text: str) -> None:
    """A label and what it is of, in lines of `WIDTH` at most."""
    print(_wrapped(f"{label:<12}{text}", 12))


def _wrapped(text: str, indent: int) -> str:
    """Lines of `WIDTH` at most, paths and names kept whole."""
    return textwrap.fill(
        text,
        WIDTH,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
