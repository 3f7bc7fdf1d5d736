"""What files hold, told from their heads and a few of their times, before anything is prepared."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from app.arrays import Array, Json
from app.data import rain
from app.data.amounts import TimeMeaning
from app.data.description import DataDescription, Splits, Variable
from app.data.shards.plan import Plan
from app.data.times import modal_step
from app.durations import step_text
from app.registry import REGISTRY


@dataclass(frozen=True, eq=False)
class Look:
    """A plan of the data, and fields (C, n, y, x) of the predictands at some training times."""

    plan: Plan
    fields: Array

    @property
    def training(self) -> str:
        """The split that is learnt from, or the only one there is."""
        return "train" if "train" in self.plan.splits else next(iter(self.plan.splits))

    @property
    def step(self) -> int:
        """Seconds from one time to the next; 0 where there is a single one."""
        return modal_step(self.plan.splits[self.training].stamps.seconds)

    def range_text(self, c: int) -> str:
        """The range of a predictand in the sampled fields, and what is missing of it."""
        values = self.fields[c][np.isfinite(self.fields[c])]
        if not values.size:
            return "missing in every time that was looked at"
        text = f"{values.min():.4g} to {values.max():.4g} in {self.fields.shape[1]} times"
        missing = 1 - values.size / self.fields[c].size
        return text + (f", {missing:.1%} missing" if missing else "")

    def step_text(self) -> str:
        return f"a step of {step_text(self.step)}" if self.step else "a single time"


def look_at(description: DataDescription, scale: int, halo: int) -> Look:
    """Open the files and read some times; InputError for what `check` would refuse of them."""
    task = REGISTRY.resolve("task", description.task)()
    plan: Plan = task.plan(description, scale, halo)
    split = plan.splits["train" if "train" in plan.splits else next(iter(plan.splits))]
    return Look(plan, split.read(rain.sampled_rows(len(split.stamps)))["hr"])


def told(description: DataDescription, look: Look) -> DataDescription:
    """The description with what the look tells, where it leaves that open.

    Units and periods as they are; amounts of rain are a ratio, not below 0, gathered over a step.
    """
    assert description.predictand is not None
    found = look.plan.variables["hr"]
    variables = tuple(
        _variable_told(given, variable, look, c)
        for c, (given, variable) in enumerate(
            zip(description.predictand.variables, found, strict=True)
        )
    )
    return replace(
        description,
        predictand=replace(description.predictand, variables=variables),
        splits=_periods(description, look.plan),
    )


def is_rain(look: Look, c: int) -> bool:
    """Whether a predictand is an amount of rain or snow, and no anomaly of one."""
    if look.plan.variables["hr"][c].kind == rain.INTERVAL:
        return False
    return rain.is_rain(_meaning(look, c), look.fields[c])


def _variable_told(given: Variable, found: Variable, look: Look, c: int) -> Variable:
    changes: Json = {}
    if given.units is None and found.source_name not in look.plan.sources[0].unitless:
        changes["units"] = found.units
    told = replace(given, **changes)
    return rain.as_rain(told, _meaning(look, c), look.step) if is_rain(look, c) else told


def _meaning(look: Look, c: int) -> TimeMeaning:
    name = look.plan.variables["hr"][c].name
    return look.plan.meanings.get("hr", {}).get(name, TimeMeaning())


def _periods(description: DataDescription, plan: Plan) -> Splits:
    """Shares in time order as the periods that they come to; other splits as they are."""
    splits, in_time = description.splits, description.time_steps is not None
    if splits.kind != "fractions" or splits.gap is not None or in_time:
        return splits
    stamps = {name: plan.splits[name].stamps for name in splits.asked if name in plan.splits}
    periods: Json = {
        name: ((one.text(0), one.text(-1)),) for name, one in stamps.items() if len(one)
    }
    return Splits(kind="dates", **periods)
