"""Scores of any fields against any others on the same grid, by the metrics of the stage metrics."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from absl import logging

from app.arrays import Json
from app.data.reading.paths import expand
from app.data.units import conversion
from app.data.wet import summed_over
from app.door.datasets import Data, as_files, names_of, plain_dataset
from app.door.guest import guest, run_as_guest
from app.door.tables import as_frame
from app.errors import InputError, one_line

if TYPE_CHECKING:
    from app.data.description import Variable
    from app.session import Session

SPLIT = "test"
TIME = "time"


def score(
    truth: Data,
    prediction: Data,
    *,
    variable: str | None = None,
    verbose: bool = False,
    **options: Any,
) -> pd.DataFrame:
    """Scores of a prediction against the truth: a row a metric, with unit, value and spread.

    `attrs` of the table: title, units and definitions. Variables of the same name are compared; a
    single one of each side, whatever their names. Units are converted to the truth's; times
    that one side lacks are left out. A dimension `member` is an ensemble.

    Arguments:
        truth, prediction: CF datasets, or files of them, on the same grid.
        variable: names of variables to score, with commas; default: all that both have.
        verbose: show what the program says, not warnings alone.
        options: flags that describe the predictand, such as `kind="ratio"`, `accumulation="1D"`.

    Raises InputError, in one line, where the two do not fit.
    """
    with tempfile.TemporaryDirectory(prefix="finescale-") as name, guest(verbose):
        known, guess = _pair(_opened(truth, "truth"), _opened(prediction, "prediction"), variable)
        place = Path(name)
        given: Json = {"data": as_files(known, place / "truth.nc")}
        given |= {"variable": list(known.data_vars), "cache_dir": place, "save_path": place / "run"}
        given |= {"splits": SPLIT, **options}
        try:
            session = run_as_guest(["prepare"], given, verbose=verbose)
            return _evaluated(session, guess, place)
        except InputError as error:
            raise InputError(str(error).replace(given["data"], "the truth")) from None


def _opened(data: Data, role: str) -> xr.Dataset:
    """The dataset, its times along `time`. Raises InputError for what cannot be opened."""
    if isinstance(data, (xr.Dataset, xr.DataArray)):
        opened = plain_dataset(data)
    else:
        try:
            parts = [xr.open_dataset(path) for path in expand(names_of(data))]
            whole = parts[0] if len(parts) == 1 else xr.combine_by_coords(parts)
        except (OSError, ValueError) as error:
            raise InputError(f"{role} {data}: cannot be opened ({one_line(error)})") from error
        opened = plain_dataset(whole)
    if TIME not in opened.dims:
        for dim in opened.dims:
            if dim in opened.coords and opened[dim].dtype.kind in "MO":
                return opened.rename({dim: TIME})
        raise InputError(
            f"{role}: no dimension of times; there are {', '.join(map(str, opened.dims))}"
        )
    return opened


def _pair(
    truth: xr.Dataset, prediction: xr.Dataset, wanted: str | None
) -> tuple[xr.Dataset, xr.Dataset]:
    """The variables and times that both have, under the truth's names."""
    names = [n for n in _fields(truth) if wanted is None or n in wanted.split(",")]
    others = _fields(prediction)
    both = [name for name in names if name in others]
    if not both and len(names) == len(others) == 1:
        prediction, both = prediction.rename({others[0]: names[0]}), names
    lacking = [n for n in (wanted or "").split(",") if n and n not in both]
    if lacking or not both:
        raise InputError(
            f"no {lacking[0] if lacking else 'variable'} in both: the truth has "
            f"{', '.join(_fields(truth))}; the prediction {', '.join(others)}"
        )
    if type(truth[TIME].values[0]) is not type(prediction[TIME].values[0]):
        raise InputError("truth and prediction have times in different calendars")
    times = np.intersect1d(truth[TIME].values, prediction[TIME].values)
    if not len(times):
        raise InputError("truth and prediction have no time in common")
    for role, one in (("truth", truth), ("prediction", prediction)):
        if len(times) < one.sizes[TIME]:
            logging.warning(
                "%d of the %d times of the %s are left out, as the other lacks them",
                one.sizes[TIME] - len(times),
                one.sizes[TIME],
                role,
            )
    return truth[both].sel({TIME: times}), prediction[both].sel({TIME: times})


def _fields(dataset: xr.Dataset) -> list[str]:
    """Names of the variables that are fields in time."""
    found = [n for n, v in dataset.data_vars.items() if TIME in v.dims and v.ndim > 1]
    return [str(name) for name in found if dataset[name].dtype.kind in "fiu"]


def _evaluated(session: Session, prediction: xr.Dataset, place: Path) -> pd.DataFrame:
    from app.metrics.evaluate import evaluate

    shards = session.shards
    for variable in shards.variables["hr"]:
        prediction[variable.name] = _converted(prediction[variable.name], variable)
    source = session.description.predictand
    over = summed_over(source.aggregate if source else None)
    how = session.experiment.scoring
    table = evaluate(shards, prediction, place, candidates=(), accumulation=over, scoring=how).table
    notes = tuple(note for note in table.notes if not note.endswith(": no samples"))
    return as_frame(replace(table, notes=notes))


def _converted(field: xr.DataArray, variable: Variable) -> xr.DataArray:
    """The field in the truth's unit; one without a unit has the truth's."""
    have = field.attrs.get("units")
    if have is None or variable.units is None:
        return field
    change = conversion(str(have), variable.units, f"prediction: {variable.name}")
    return field.copy(data=change(field.values))
