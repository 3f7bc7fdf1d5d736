"""What is to be prepared for downscaling in time: known frames by split, the others apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from absl import logging

from app.arrays import Array
from app.data.calendars import hidden_gap
from app.data.description import DataDescription, TimeSteps, Variable
from app.data.known_frames import Frames, known_frames, withheld_frames
from app.data.reading.alignment import align
from app.data.reading.sources import open_source
from app.data.shards.fine_source import FineSource, open_fine
from app.data.shards.plan import (
    Blocks,
    Plan,
    SplitPlan,
    meanings_of,
    origins_of,
    refuse_twins,
    statics_on,
)
from app.data.shards.splits import assign
from app.data.time_axis import NONE, time_axis
from app.data.times import Stamps
from app.durations import duration_text
from app.errors import InputError
from app.grids import Geometry

WITHHELD = "withheld"  # the split of frames between known ones: truth, and nothing else
SCORED = "test"  # the split whose intervals they lie in


def plan_in_time(description: DataDescription, steps: TimeSteps) -> Plan:
    """Known frames in the splits asked for; withheld ones of the test period in one of their own.

    Splits are made of the known frames alone, and scaling is fitted to those of training, so
    that nothing that is trained or fitted can see a frame between.
    """
    if description.predictand is None:
        raise InputError("data description: the predictand is missing")
    if description.low_resolution is not None:
        raise InputError(
            "low_resolution: downscaling in time takes known frames of the predictand itself; "
            "leave it out, and --paired_samples=explicit"
        )
    source = description.predictand
    predictand = open_source(source, description.region)
    geometry = Geometry.build(predictand.grid, 1)
    guides = [
        open_fine(f"predictors[{number}]", one, geometry.fine, description.uncovered)
        for number, one in enumerate(description.predictors)
    ]
    described = zip(description.predictors, guides, strict=True)
    stamps, rows, guide_rows = align(
        predictand, [(f"predictors[{i}]", s, g.opened) for i, (s, g) in enumerate(described)]
    )
    origins = origins_of(predictand, *(g.opened for g in guides))
    summed = all_summed(predictand.variables)
    if summed and guides:
        raise InputError("predictors: an amount over time is parted without guidance; leave it out")
    if any(one.lags != (0,) for one in description.predictors):
        raise InputError("predictors: guidance in time has no lags; leave them out")
    _refuse_hidden_gap(stamps, origins, ", ".join(source.files))
    known = known_frames(stamps, steps, summed, ", ".join(source.files))
    parts = {
        name: known.take(part) for name, part in assign(known.stamps, description.splits).items()
    }
    truth = _withheld(stamps, parts, steps, summed)
    if truth is not None:
        parts[WITHHELD] = truth
    static_variables, static, uncovered = statics_on(
        description.static, geometry.fine, description.uncovered
    )
    for guide in guides:
        uncovered = uncovered | guide.uncovered

    def read_known(own: Array) -> Array:
        fields = predictand.read(own)
        fields[..., uncovered] = np.nan
        return fields

    variables = {
        "hr": predictand.variables,
        "lr": (),
        "predictors": tuple(v for g in guides for v in g.opened.variables),
        "static": static_variables,
    }
    for role, members in variables.items():
        refuse_twins(role, members)
    logging.info(
        "known frames every %s, wanted every %s%s",
        duration_text(steps.input_step),
        duration_text(steps.target_step),
        ", amounts of the time before their stamp" if summed else "",
    )

    def reader(frames: Frames) -> Callable[[Array], Blocks]:
        return lambda part: _read(frames.rows[part], read_known, rows, guides, guide_rows)

    return Plan(
        geometry=geometry,
        variables=variables,
        grids={"hr": geometry.fine, "lr": geometry.fine, "predictors": geometry.fine},
        splits={name: SplitPlan(one.stamps, reader(one)) for name, one in parts.items()},
        static=static,
        explicit=False,
        has_times=True,
        row_bytes=predictand.row_bytes * known.rows.shape[1] + sum(g.row_bytes for g in guides),
        origins=origins,
        meanings={
            "hr": meanings_of(predictand),
            "predictors": meanings_of(*(g.opened for g in guides)),
        },
        sources=(predictand, *(g.opened for g in guides)),
    )


def _refuse_hidden_gap(stamps: Stamps, origins: Sequence[str], where: str) -> None:
    row = hidden_gap(stamps, origins)
    if row is not None:
        raise InputError(
            f"{where}: calendar: {stamps.calendar} hides the day that is left out after "
            f"{stamps.text(row)}, and frames there would seem to be neighbours; expected a "
            "calendar that has all days of the files"
        )


def all_summed(variables: Sequence[Variable]) -> bool:
    """Whether the variables are amounts over time; InputError where only some are."""
    summed = [v.time_method == "sum" for v in variables]
    if any(summed) and not all(summed):
        names = ", ".join(v.name for v in variables if v.time_method == "sum")
        raise InputError(
            f"{names}: an amount over time (cell_methods time: sum) beside instantaneous "
            "variables; expected models of their own, or time_method: point"
        )
    return all(summed)


def _withheld(
    stamps: Stamps, parts: dict[str, Frames], steps: TimeSteps, summed: bool
) -> Frames | None:
    """Frames of the record at the wanted times of the test period; None where there are none."""
    if SCORED not in parts:
        return None
    axis = time_axis(parts[SCORED].stamps, steps, summed)
    wanted = axis.stamps.take(np.flatnonzero(axis.known == NONE))
    found = withheld_frames(stamps, wanted, steps, summed)
    return found if len(found.stamps) else None


def _read(
    own: Array,
    read: Callable[[Array], Array],
    rows: Array,
    guides: list[FineSource],
    guide_rows: list[Array],
) -> Blocks:
    """Frames of aligned rows (n, k), summed over k."""
    n, k = own.shape
    fields = read(rows[own.ravel()])
    if k > 1:
        shape = (len(fields), n, k, *fields.shape[2:])
        fields = fields.reshape(shape).sum(axis=2, dtype=np.float64).astype(np.float32)
    blocks = {"hr": fields}
    if guides:
        chosen = own[:, -1]
        parts = [g.read(r[chosen, 0]) for g, r in zip(guides, guide_rows, strict=True)]
        blocks["predictors"] = np.concatenate(parts)
    return blocks
