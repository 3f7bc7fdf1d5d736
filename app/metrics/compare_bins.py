"""Runs of one kind against runs of another, bin by bin, paired by their order (their seeds)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from app.arrays import Array
from app.data.times import DAY
from app.errors import InputError
from app.metrics.arithmetic import divide
from app.metrics.bootstrap import SEED, interval, over_drawn_seeds, resampled_sums
from app.metrics.climate import MIN_DAYS
from app.metrics.deterministic.bins import by_day
from app.metrics.table import MODEL


@dataclass(frozen=True)
class BinDifference:
    """One bin: mean RMSE of the two kinds, and the relative change with its 95 % interval.

    `change`: mean over pairs of RMSE / RMSE of the other kind - 1; `spread`: its standard
    deviation over pairs. `lower`: in how many pairs the first kind is the better one.
    """

    bin: str
    days: int
    rmse: float
    other: float
    change: float
    spread: float
    low: float
    high: float
    lower: int
    pairs: int


def compare(
    runs: list[Path], others: list[Path], variable: str | None = None
) -> list[BinDifference]:
    """Compare run folders pair by pair in every bin that holds enough days.

    The interval is that of a bootstrap over days, the same days for all runs, and over pairs.
    Raises InputError where the runs were not scored on the same data.
    """
    if len(runs) != len(others) or not runs:
        raise InputError(
            f"expected as many runs as there are to compare with, received {len(runs)} and "
            f"{len(others)}"
        )
    opened = [_open(run) for run in (*runs, *others)]
    name = variable or _variable(opened[0], runs[0])
    _refuse_others(opened, [*runs, *others], name)
    day = opened[0]["seconds"].values // DAY
    weight = opened[0][f"{name}_weight"].values
    squares = np.stack(
        [d[f"{name}_squares"].sel({f"{name}_candidate": MODEL}).values for d in opened]
    )
    days = opened[0][f"{name}_days"].values
    labels = opened[0][f"{name}_bin"].values
    return [
        _difference(str(label), int(days[b]), squares[:, b], weight[b], day)
        for b, label in enumerate(labels)
        if days[b] >= MIN_DAYS
    ]


def _difference(label: str, days: int, squares: Array, weight: Array, day: Array) -> BinDifference:
    pairs = len(squares) // 2
    sums = by_day(np.column_stack([squares.T, weight]), day)
    rmse = np.sqrt(sums[:, :-1].sum(axis=0) / sums[:, -1].sum())
    change = rmse[:pairs] / rmse[pairs:] - 1
    drawn = resampled_sums(sums, length=1)
    low = high = np.nan
    if drawn is not None:
        again = np.sqrt(divide(drawn[:, :-1], drawn[:, -1:]))
        changes = again[:, :pairs] / again[:, pairs:] - 1
        low, high = interval(over_drawn_seeds(changes, np.random.default_rng(SEED)))
    return BinDifference(
        bin=label,
        days=days,
        rmse=float(rmse[:pairs].mean()),
        other=float(rmse[pairs:].mean()),
        change=float(change.mean()),
        spread=float(change.std(ddof=1)) if pairs > 1 else float("nan"),
        low=low,
        high=high,
        lower=int((change < 0).sum()),
        pairs=pairs,
    )


def dry_frequency(runs: list[Path], variable: str | None = None) -> float:
    """Mean over run folders of the share of dry values in their prediction; NaN if not scored."""
    names = {"wet_frequency", f"wet_frequency[{variable}]"}
    found = []
    for run in runs:
        table = run / "metrics" / "summary.csv"
        with table.open(encoding="utf-8") as file:
            wet = [row[MODEL] for row in csv.DictReader(file) if row["metric"] in names]
        found.append(1 - float(wet[0]) if wet and wet[0] else np.nan)
    return float(np.mean(found))


def _open(run: Path) -> xr.Dataset:
    path = run / "metrics" / "bins.nc"
    try:
        with xr.open_dataset(path, engine="netcdf4") as dataset:
            return dataset.load()
    except OSError as error:
        raise InputError(
            f"{run}: no scores by bins at {path}; run the stage metrics first"
        ) from error


def _variable(dataset: xr.Dataset, run: Path) -> str:
    names = [
        str(n).removesuffix("_weight") for n in dataset.data_vars if str(n).endswith("_weight")
    ]
    if len(names) != 1:
        raise InputError(f"{run}: several predictands ({', '.join(names)}); name one of them")
    return names[0]


def _refuse_others(opened: list[xr.Dataset], runs: list[Path], name: str) -> None:
    for dataset, run in zip(opened, runs, strict=True):
        if f"{name}_weight" not in dataset:
            raise InputError(f"{run}: no predictand {name}")
        same = [
            np.array_equal(dataset[key].values, opened[0][key].values)
            for key in ("seconds", f"{name}_weight")
        ]
        if not all(same):
            raise InputError(f"{run}: not scored on the times and bins of {runs[0]}")
