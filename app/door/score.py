"""Scores of any fields against any others on the same grid, by the metrics of the stage metrics."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from app.arrays import Json
from app.data.reading.paths import expand
from app.door.datasets import DATASETS, Data, as_files, names_of, plain_dataset
from app.door.guest import experiment_of, guest
from app.door.tables import as_frame
from app.errors import InputError, one_line

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
        from app.metrics.evaluate import evaluate_files

        place = Path(name)
        sides: dict[str, Data] = {"truth": truth, "prediction": prediction}
        opened = {role: _opened(data, role) for role, data in sides.items()}
        names = _names(opened["truth"], opened["prediction"], variable)
        given: Json = {
            role: as_files(
                opened[role] if isinstance(data, DATASETS) else data, place / f"{role}.nc"
            )
            for role, data in sides.items()
        }
        given |= {"variable": list(names), "prediction_variables": names}
        try:
            experiment = experiment_of(["metrics"], given | options)
            asked = experiment.scored
            assert asked is not None
            evaluation = evaluate_files(asked, place / "scores", experiment.scoring)
            assert evaluation is not None  # of one rank alone
            return as_frame(evaluation.table)
        except InputError as error:
            text = str(error)
            for role, files in given.items():
                if role in sides and isinstance(sides[role], DATASETS):
                    text = text.replace(files, f"the {role}")
            raise InputError(text) from None


def _opened(data: Data, role: str) -> xr.Dataset:
    """The dataset, its times along `time`. Raises InputError for what cannot be opened."""
    if isinstance(data, DATASETS):
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


def _names(truth: xr.Dataset, prediction: xr.Dataset, wanted: str | None) -> dict[str, str]:
    """Names in the prediction of the variables that both have, by their names in the truth."""
    names = [n for n in _fields(truth) if wanted is None or n in wanted.split(",")]
    others = _fields(prediction)
    both = {name: name for name in names if name in others}
    if not both and len(names) == len(others) == 1:
        both = {names[0]: others[0]}
    lacking = [n for n in (wanted or "").split(",") if n and n not in both]
    if lacking or not both:
        raise InputError(
            f"no {lacking[0] if lacking else 'variable'} in both: the truth has "
            f"{', '.join(_fields(truth))}; the prediction {', '.join(others)}"
        )
    return both


def _fields(dataset: xr.Dataset) -> list[str]:
    """Names of the variables that are fields in time."""
    found = [n for n, v in dataset.data_vars.items() if TIME in v.dims and v.ndim > 1]
    return [str(name) for name in found if dataset[name].dtype.kind in "fiu"]
