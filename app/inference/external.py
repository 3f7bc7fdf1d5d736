"""Low-resolution files that have no truth, as a trained model wants to see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from absl import logging

from app.data.description import Source, Variable, source_from_dict
from app.data.plan import coarse_input
from app.data.reading.alignment import align
from app.data.times import Stamps
from app.errors import InputError
from app.grids import Geometry, Grid

if TYPE_CHECKING:
    from app.models.spec import ModelSpec


@dataclass(frozen=True, eq=False)
class ExternalInput:
    """Times of the files, their coarse inputs, and what is to be predicted from them."""

    stamps: Stamps
    read: Callable[[np.ndarray], np.ndarray]  # row numbers → (n, h, w, Cin) physical
    fine: Grid
    variables: tuple[Variable, ...]


def open_input(
    spec: ModelSpec, files: tuple[str, ...], uncovered: str = "refuse", flag: str = "--input"
) -> ExternalInput:
    """Open files that hold all of a model's inputs, on any grid that covers its own.

    Units are converted to those of the training data; fields finer than the coarse grid are
    averaged over its cells, coarser ones interpolated. Raises InputError where a variable or
    all times are missing, or the domain is not covered and `uncovered` is not "mask". Messages
    name the `flag`.
    """
    low, *predictors = sources_of(spec, files)
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

    def read(indices: np.ndarray) -> np.ndarray:
        fields = np.concatenate([one.read(indices)[1] for one in inputs])
        return np.moveaxis(fields, 0, -1)

    variables = tuple(Variable(c.name, c.name, units=c.units) for c in spec.outputs)
    return ExternalInput(stamps, read, geometry.fine, variables)


def sources_of(spec: ModelSpec, files: tuple[str, ...]) -> list[Source]:
    """The sources of the training data's coarse inputs, with these files in their place."""
    stored = spec.domain.get("sources")
    if not stored:
        raise InputError(
            "--input: the model was trained on the arrays of a data module; "
            "give inference_data in a data module instead"
        )
    sources = [replace(source_from_dict(s), files=tuple(files), engine=None) for s in stored]
    return [replace(sources[0], lags=(0,)), *sources[1:]]
