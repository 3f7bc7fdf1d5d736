"""Climate indices of every cell, from days and calendar years of a period."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.arrays import Array
from app.data.description import Variable
from app.data.units import conversion, normalise_unit
from app.data.wet import AMOUNTS, RATES
from app.metrics.climatic.days import Days, Years
from app.metrics.metric import Subject
from app.metrics.quantiles import last_axis_quantile

SUMMER, FROST = 25.0, 0.0  # degC
WET = 1.0  # mm a day
VERY_WET = 0.95  # quantile of the truth's wet days
LONG_RAIN = 5  # days
TEMPERATURES = ("K", "degC", "degF")
HIGHEST = ("tasmax", "tx", "tmax", "maximum")
LOWEST = ("tasmin", "tn", "tmin", "minimum")
INDICES = {
    "txx": ("highest value of a year", "mean_years max_days x"),
    "txn": ("lowest daily maximum of a year", "mean_years min_days max x"),
    "tnx": ("highest daily minimum of a year", "mean_years max_days min x"),
    "tnn": ("lowest value of a year", "mean_years min_days x"),
    "su": ("summer days a year", "days with a maximum above 25 °C"),
    "fd": ("frost days a year", "days with a minimum below 0 °C"),
    "rx1day": ("largest amount of a day in a year", "mean_years max_days x"),
    "rx5day": ("largest amount of five days in a year", "mean_years max Σ_5days x"),
    "sdii": ("mean amount of wet days", "mean x of days from 1 mm"),
    "wet_days": ("wet days a year", "days from 1 mm"),
    "cdd": ("longest dry spell of a year", "mean_years longest run of days below 1 mm"),
    "cwd": ("longest wet spell of a year", "mean_years longest run of days from 1 mm"),
    "r95p": ("amount of very wet days a year", "Σ x of days above P95 of the truth's wet days"),
}
Statistic = Callable[[Array, Array], Array]


@dataclass(frozen=True, eq=False)
class ClimateStatistics:
    """What a variable has of the indices, and how each comes from series (n, y, x).

    units: by name; amounts are in mm. Highest and lowest are those of the samples of a day.
    """

    units: dict[str, str]
    days: Days
    years: Years
    variable: Variable
    to_mm: float = 0.0

    @classmethod
    def of(cls, subject: Subject, times: Array) -> ClimateStatistics | None:
        """Of a variable at times in order (n,); None where they are more than a day apart."""
        days = Days.of(times)
        if days is None:
            return None
        unit = normalise_unit(subject.unit)
        units: dict[str, str] = {}
        to_mm = 0.0
        if unit in TEMPERATURES:
            known = {subject.variable.name.lower(), *_method(subject.variable)}
            if not known & set(LOWEST):
                units |= {"txx": subject.unit, "txn": subject.unit, "su": "day year-1"}
            if not known & set(HIGHEST):
                units |= {"tnx": subject.unit, "tnn": subject.unit, "fd": "day year-1"}
        elif subject.wet is not None and subject.wet.value is not None:
            to_mm = conversion(unit, "mm day-1" if unit in RATES else "mm").factor
            units |= dict.fromkeys(("rx1day", "rx5day", "sdii"), "mm")
            units |= {"wet_days": "day year-1", "cdd": "day", "cwd": "day", "r95p": "mm year-1"}
        return cls(units, days, Years.of(days.years), subject.variable, to_mm)

    def totals(self, series: Array) -> Array:
        """Amounts of days in mm (d, y, x)."""
        summed = normalise_unit(self.variable.units or "1") in AMOUNTS
        days = self.days.reduce(series, np.add) if summed else self.days.mean(series)
        return days * self.to_mm

    def level(self, truth: Array) -> Array:
        """The 95th percentile of the wet days of the truth (y, x) in mm."""
        if not self.to_mm:
            return np.zeros(truth.shape[1:])
        days = self.totals(truth)
        wet = np.where(days >= np.float32(WET), days, np.nan)
        return last_axis_quantile(np.moveaxis(wet, 0, -1), VERY_WET)

    def parts(self, series: Array, level: Array) -> dict[str, tuple[Array, Array]]:
        """Every index as the ratio of the sums of two fields of years (a, y, x)."""
        found = self._rain(series, level) if self.to_mm else self._heat(series)
        known = np.isfinite(series).any(axis=0)
        return {name: (found[name][0], found[name][1] * known) for name in self.units}

    def _heat(self, series: Array) -> dict[str, tuple[Array, Array]]:
        if not self.units:
            return {}
        unit = normalise_unit(self.variable.units or "1")
        summer, frost = (float(conversion("degC", unit)(np.array(v))) for v in (SUMMER, FROST))
        high = self.days.reduce(series, np.maximum)
        low = high if self.days.daily else self.days.reduce(series, np.minimum)
        years = self.years
        return {
            "txx": _of_years(years.highest(high)),
            "txn": _of_years(years.lowest(high)),
            "tnx": _of_years(years.highest(low)),
            "tnn": _of_years(years.lowest(low)),
            "su": _of_years(years.count(high > summer)),
            "fd": _of_years(years.count(low < frost)),
        }

    def _rain(self, series: Array, level: Array) -> dict[str, tuple[Array, Array]]:
        days, years, breaks = self.totals(series), self.years, self.days.breaks
        wet, dry = days >= np.float32(WET), days < np.float32(WET)
        long = np.full_like(days, np.nan)
        if len(days) >= LONG_RAIN:
            running = np.sum([days[i : len(days) - LONG_RAIN + 1 + i] for i in range(LONG_RAIN)], 0)
            last, first = self.days.numbers[LONG_RAIN - 1 :], self.days.numbers[: len(running)]
            together = last - first == LONG_RAIN - 1
            long[LONG_RAIN - 1 :] = np.where(together[:, None, None], running, np.nan)
        fallen, count = np.nan_to_num(years.total(np.where(wet, days, np.nan))), years.count(wet)
        return {
            "rx1day": _of_years(years.highest(days)),
            "rx5day": _of_years(years.highest(long)),
            "sdii": (fallen, count),
            "wet_days": _of_years(count),
            "cdd": _of_years(years.longest_run(dry, breaks)),
            "cwd": _of_years(years.longest_run(wet, breaks)),
            "r95p": _of_years(np.nan_to_num(years.total(np.where(days > level, days, 0.0)))),
        }


def _of_years(values: Array) -> tuple[Array, Array]:
    """Values of years (a, y, x) for their mean: 0 where not known, and where they are known."""
    known = np.isfinite(values)
    return np.where(known, values, 0.0), known


def _method(variable: Variable) -> set[str]:
    """Words of what the file says that was done over time."""
    return set((variable.cell_methods or "").lower().replace(":", " ").split())
