"""What a user should know of prepared data before training: a sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from app.data.amounts import MEAN, SMALL, SUM, TimeMeaning
from app.data.shards import Shards
from app.data.shards.survey import Comparison, Summary, independent_samples
from app.data.units import same_unit
from app.durations import step_text

FEWEST_COARSE_CELLS = 36  # below which there is hardly a pattern to learn from
SHORTEST_SIDE = 4  # coarse cells
FEWEST_TEST_TIMES = 30
LEAST_TEMPERATURE = 100.0  # K; temperatures lie above, most differences of such below
FEWEST_INDEPENDENT = 30
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
          "October", "November", "December")  # fmt: skip
ROLE_NAMES = {"lr": "the low resolution", "predictors": "the predictors"}

Summaries = Mapping[str, Sequence[Summary]]  # split → variables


def notes(
    shards: Shards, found: Summaries, lasting: Mapping[str, float], comparison: Comparison
) -> list[str]:
    """Everything that is to be pointed out.

    `lasting`: autocorrelation of each predictand in training, from one step to the next.
    """
    return [
        *_on_amounts(shards, found, comparison),
        *_on_units(shards),
        *_on_temperatures(found, shards.findings),
        *_on_constants(shards, found),
        *_on_times(shards, lasting),
        *_on_correspondence(comparison),
        *_on_the_grid(shards),
    ]


def meaning_of(shards: Shards, name: str) -> TimeMeaning:
    """What a predictand's values stand for in time."""
    return shards.meanings.get("hr", {}).get(name, TimeMeaning())


def amounts(meanings: Mapping[str, Mapping[str, TimeMeaning]], instants: bool) -> list[str]:
    """A line for each variable that was taken as an amount over time, or as none against its file.

    `meanings`: role → variable → what its values stand for.

    With `instants` also for means: they are then taken as of the instant of their stamp.
    """
    lines = []
    for members in meanings.values():
        for name, meaning in members.items():
            line = meaning.describe(name)
            if meaning.method == MEAN and instants:
                line += ", taken as of the instant of its stamp"
            told = meaning.method == SUM or meaning.contradicted
            if (told or (meaning.method == MEAN and instants)) and line not in lines:
                lines.append(line)
    return lines


def _on_amounts(shards: Shards, found: Summaries, comparison: Comparison) -> Iterator[str]:
    for variable in shards.variables["hr"]:
        meaning = meaning_of(shards, variable.name)
        if not meaning.precipitation:
            continue
        own = [s for parts in found.values() for s in parts if _is_fine(s, variable.name)]
        below = sum(summary.negative for summary in own)
        least = min(summary.minimum for summary in own)
        if least < -SMALL * max(summary.maximum for summary in own):
            yield (
                f"{variable.name} ({variable.units}) looks like precipitation, but {below} values "
                f"lie below 0, the least {least:.4g}: are these anomalies, or do they mean missing?"
            )
            continue
        if below and variable.valid_min is None and variable.transform == "none":
            yield (
                f"{variable.name}: {below} values below 0, the least {least:.3g}, as packing or "
                "interpolation leaves them; valid_min: 0 sets them to 0"
            )
    for variable in shards.predictands:
        meaning = meaning_of(shards, variable.name)
        gathered = meaning.method == SUM
        unsaid = variable.accumulation is None and variable.wet_threshold is None
        if gathered and meaning.precipitation and variable.kind == "ratio" and unsaid:
            step = step_text(shards.step("train"))
            yield (
                f"{variable.name} ({variable.units}): over what time an amount has gathered is not "
                f"said, so that wet days cannot be told; accumulation: {step}, if it is the step"
            )
        if gathered and comparison.grows_and_falls_back(variable.name):
            yield (
                f"{variable.name} looks accumulated since the start of a forecast: values grow "
                "from step to step and fall back at the same hours, if ever; amounts of each step "
                "are expected, so take differences first"
            )


def _is_fine(summary: Summary, name: str) -> bool:
    return summary.role == "hr" and summary.variable.name == name


def _on_temperatures(found: Summaries, findings: Sequence[str]) -> Iterator[str]:
    """Temperatures that cannot be in their unit: zeros of kelvin often mean "missing".

    Of the predictands, whose values are those of the file, where the `findings` tell no other.
    """
    told = set()
    for summary in (s for parts in found.values() for s in parts if s.role == "hr"):
        name, unit = summary.variable.name, summary.variable.units
        if summary.minimum > LEAST_TEMPERATURE and same_unit(unit, "degC") and name not in told:
            told.add(name)
            yield (
                f"{name} lies between {summary.minimum:.4g} and {summary.maximum:.4g} {unit}, as "
                "temperatures in K do; if so, the file names the wrong unit, which ncatted -a "
                f"units,{summary.variable.source_name},m,c,K FILE mends"
            )
        cold = summary.minimum <= 0 and summary.maximum > LEAST_TEMPERATURE
        known = any(f": {summary.variable.source_name}: " in line for line in findings)
        if cold and not known and name not in told and same_unit(unit, "K"):
            told.add(name)
            yield (
                f"{name} ({unit}) goes down to {summary.minimum:.4g}, which no "
                "temperature is; if that means missing, say so: missing: "
                f"{summary.minimum:.7g}, in the file's unit"
            )


def _on_constants(shards: Shards, found: Summaries) -> Iterator[str]:
    told = ("hr", "lr", "predictors") if shards.explicit else ("hr", "predictors")
    for summary in found.get("train", ()):
        if summary.role in told and summary.minimum == summary.maximum:
            where = "" if summary.role == "hr" else f" of {ROLE_NAMES[summary.role]}"
            yield f"{summary.variable.name}{where} is {summary.minimum:g} everywhere in training"
    for c, variable in enumerate(shards.variables["static"]):
        field = shards.static[..., c]
        if np.nanmin(field) == np.nanmax(field):
            yield f"static {variable.name} is {np.nanmin(field):g} everywhere: it tells nothing"


def _on_times(shards: Shards, lasting: Mapping[str, float]) -> Iterator[str]:
    size = shards.size("train")
    independent = {name: independent_samples(size, r) for name, r in lasting.items()}
    few = {name: n for name, n in independent.items() if n < FEWEST_INDEPENDENT}
    if few:
        each = ", ".join(f"{name} {n:.0f}" for name, n in few.items())
        yield (
            f"training holds few independent samples ({each}): what is learnt, and scores of a "
            "period as short, may not hold for others"
        )
    if "test" not in shards.splits:
        return
    size = shards.size("test")
    if size < FEWEST_TEST_TIMES:
        yield (
            f"the test period has {size} times: scores of fewer than {FEWEST_TEST_TIMES} say little"
        )
    if not shards.has_times or "train" not in shards.splits:
        return
    tested, trained = (shards.stamps(split).fields()[1] for split in ("test", "train"))
    unseen = np.setdiff1d(tested, trained)
    if len(unseen):
        names = ", ".join(MONTHS[month - 1] for month in unseen)
        yield f"the test period has months that training lacks: {names}"


def _on_units(shards: Shards) -> Iterator[str]:
    fine = {variable.name: variable.units for variable in shards.variables["hr"]}
    for variable in shards.variables["lr"]:
        own = fine.get(variable.name, variable.units)
        if shards.has_times and not same_unit(variable.units, own):
            yield (
                f"{variable.name} is in {variable.units} in the low resolution and in {own} in the "
                "predictand: baselines compare them as they are; expected one unit for both"
            )


def _on_correspondence(comparison: Comparison) -> Iterator[str]:
    free = " or ".join(ROLE_NAMES[role] for role in comparison.without_correspondence())
    if free:
        yield (
            f"no correspondence from day to day between {free} and the predictand: without their "
            "yearly and daily cycles they correlate no better at the same time than at any other, "
            "as a free-running climate model does; pairs in time mean nothing then"
        )


def _on_the_grid(shards: Shards) -> Iterator[str]:
    geometry = shards.geometry
    h, w = (size - 2 * geometry.halo for size in geometry.coarse_shape)
    own = shards.coarse_predictand  # else the pattern is that of predictors, halo and all
    if own and geometry.scale > 1 and (h * w < FEWEST_COARSE_CELLS or min(h, w) < SHORTEST_SIDE):
        yield (
            f"a coarse grid of {h}×{w} cells is small: there is hardly a spatial pattern to learn "
            "from; expected a larger region or a smaller --scale (6×6 coarse cells, say)"
        )
