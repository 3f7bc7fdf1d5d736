"""Low-resolution files that have no truth, as a trained model wants to see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from app.arrays import Array
from app.data.description import Source, Variable, source_from_dict
from app.data.reading.alignment import align
from app.data.reading.sentinels import log_values
from app.data.reading.sources import Opened
from app.data.shards.plan import coarse_input
from app.data.times import Stamps, modal_step
from app.durations import step_text
from app.errors import InputError
from app.grids import Geometry, Grid
from app.inference.input_names import as_called_in

if TYPE_CHECKING:
    from app.models.spec import ModelSpec, Spec


@dataclass(frozen=True, eq=False)
class ExternalInput:
    """Times of the files, their coarse inputs, and what is to be predicted from them."""

    stamps: Stamps
    read: Callable[[Array], Array]  # row numbers → (n, h, w, Cin) physical
    fine: Grid
    variables: tuple[Variable, ...]
    sources: tuple[Opened, ...]

    def forget_values(self) -> None:
        """What was read so far does not count among the values that `log_values` tells of."""
        for source in self.sources:
            for tally in source.tallies:
                tally.take()

    def log_values(self) -> None:
        """Say what is odd about the values read, as far as this rank has read them."""
        for source in self.sources:
            for tally, variable in zip(source.tallies, source.variables, strict=True):
                log_values(tally, variable, source.where)


def open_input(
    spec: ModelSpec,
    files: tuple[str, ...],
    uncovered: str = "refuse",
    names: Mapping[str, str] | None = None,
    flag: str = "--input",
) -> ExternalInput:
    """Open files that hold all of a model's inputs, on any grid that covers its own.

    Units are converted to those of the training data; fields finer than the coarse grid are
    averaged over its cells, coarser ones interpolated. Raises InputError where a variable or
    all times are missing, or the domain is not covered and `uncovered` is not "mask". `names`:
    the files' name for a model's variable, where it is another. Messages name the `flag`.
    """
    low, *predictors = sources_of(spec, files, names or {}, flag)
    geometry = Geometry.from_dict(spec.geometry)
    first = coarse_input("low_resolution", low, geometry, uncovered, flag)
    others = [
        coarse_input("predictors", source, geometry, uncovered, flag) for source in predictors
    ]
    stamps, rows, other_rows = align(
        first.opened, [(one.role, one.source, one.opened) for one in others]
    )
    inputs = [
        replace(one, rows=own)
        for one, own in zip([first, *others], [rows[:, None], *other_rows], strict=True)
    ]
    logging.info("input: %d times, %s", len(stamps), stamps.span())
    _warn_of_another_step(modal_step(stamps.seconds), spec, flag)
    for one in inputs:
        warn_of_assumed_units(one.opened, flag)

    def read(indices: Array) -> Array:
        fields = np.concatenate([one.read(indices)[1] for one in inputs])
        return np.moveaxis(fields, 0, -1)

    variables = tuple(
        Variable(
            c.name,
            c.name,
            units=c.units,
            standard_name=c.standard_name,
            long_name=c.long_name,
            cell_methods=c.cell_methods,
        )
        for c in spec.outputs
    )
    sources = tuple(one.opened for one in inputs)
    return ExternalInput(stamps, read, geometry.fine, variables, sources)


def _warn_of_another_step(step: int, spec: ModelSpec, flag: str) -> None:
    """A line where times of the input are further apart, or closer, than those of training.

    A daily mean varies less than the hourly fields that a model may have been trained on.
    """
    trained = int(spec.domain.get("step", 0))
    if step and trained and step != trained:
        logging.warning(
            "%s: a step of %s, in training %s; fields that stand for another length of time vary "
            "otherwise",
            *(flag, step_text(step), step_text(trained)),
        )


def warn_of_assumed_units(opened: Opened, flag: str) -> None:
    """A line for each variable whose files do not tell its units."""
    for variable in opened.variables:
        if variable.source_name in opened.unitless:
            logging.warning(
                "%s %s: %s has no units; it is taken to be in %s, as in training",
                *(flag, opened.where, variable.source_name, variable.units),
            )


def sources_of(
    spec: Spec,
    files: tuple[str, ...],
    names: Mapping[str, str] | None = None,
    flag: str = "--input",
) -> list[Source]:
    """The sources of a model's inputs in training, with these files in their place."""
    stored = spec.domain.get("sources")
    if not stored:
        raise InputError(
            f"{flag}: the model was trained on the arrays of a data module; "
            "give inference_data in a data module instead"
        )
    sources = [source_from_dict(one) for one in stored]
    sources[0] = replace(sources[0], lags=(0,))
    return as_called_in(sources, files, names or {}, flag)
