"""Rain as objects: their number and size, and structure, amplitude and location (SAL)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.ndimage import label

from app.arrays import Array
from app.metrics.arithmetic import divide
from app.metrics.deterministic.mean_rows import ratio_rows
from app.metrics.metric import Block, Metric, Subject, Totals
from app.metrics.sampled import Sampled
from app.metrics.spatial.spectra import spacing
from app.metrics.table import BY_SAMPLE, About

if TYPE_CHECKING:
    from app.metrics.table import Row

SHARE, LEVEL = 1 / 15, 0.95  # of the threshold of an object: of that quantile of the wet values
DRIZZLE = 0.1  # of the wet limit: what counts towards the quantile
TOUCHING = np.zeros((3, 3, 3), bool)  # cells that touch in one sample belong together
TOUCHING[1] = True
OBJECTS = "objects: touching cells above 1/15 of the 95th percentile of the wet values"
SAL = {
    "structure": About(
        "structure component of SAL",
        "2(V̂ - V) / (V̂ + V), V = Σ Rₙ² / max Rₙ / Σ Rₙ",
        f"{OBJECTS}; above 0 too large or too flat",
        "none",
        BY_SAMPLE,
    ),
    "amplitude": About(
        "amplitude component of SAL",
        "2(D̂ - D) / (D̂ + D), D = mean x",
        "samples without rain in both left out; above 0 too wet",
        "none",
        BY_SAMPLE,
    ),
    "location": About(
        "location component of SAL",
        "|ĉ - c| / d + 2|r̂ - r| / d",
        f"{OBJECTS}; c: centre of mass, r: mean distance of objects from it, d: largest distance",
        "none",
        BY_SAMPLE,
    ),
}


class Objects(Metric):
    """SAL of every candidate and sample (3, k, n), NaN without rain; of members their mean.

    number, size (1 + k, n): how many objects, and how many cells they cover, the truth first.
    """

    core = False
    summed = ("sal", "number", "size")
    about: ClassVar[Mapping[str, About]] = {
        **{f"sal_{name}": about for name, about in SAL.items()},
        "object_number_ratio": About(
            "number of objects of rain over the truth's", "Σ N̂ / Σ N", OBJECTS, "none"
        ),
        "object_size_ratio": About(
            "cells that an object of rain covers over the truth's",
            "(Σ cells / Σ N of x̂) / (that of x)",
            OBJECTS,
            "none",
        ),
    }
    definitions = (
        "sal_structure, sal_amplitude, sal_location: mean over samples of the components of SAL"
        " (Wernli et al. 2008), 0 where right; objects are touching cells above 1/15 of the 95th"
        " percentile of each field's own wet values.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        layers = 1 + len(subject.candidates)
        self.sal = subject.per_sample(len(SAL), layers - 1)
        self.number, self.size = subject.per_sample(2, layers)
        limit = None if subject.wet is None else subject.wet.value
        self.drizzle = 0.0 if limit is None else DRIZZLE * limit
        self.steps = np.array(spacing(subject.grid)) if min(subject.area.shape) > 1 else np.ones(2)

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        return subject.wet is not None

    def add(self, block: Block) -> None:
        def shapes(fields: Array) -> Shapes:
            kept = np.where(block.valid, np.maximum(fields, 0.0), 0.0).astype(np.float64)
            return Shapes.of(kept, block.valid, self.drizzle, self.steps)

        truth = shapes(block.truth)
        self.number[0, block.indices], self.size[0, block.indices] = truth.number, truth.size
        for k, stack in enumerate(block.versions):
            for fields in stack:
                own = shapes(fields)
                self.number[k + 1, block.indices] += own.number / len(stack)
                self.size[k + 1, block.indices] += own.size / len(stack)
                self.sal[:, k, block.indices] += own.beside(truth) / len(stack)

    def rows(self, errors: Totals) -> list[Row]:
        rows = []
        for name, values in zip(SAL, self.sal, strict=True):
            rows.append(self.subject.score_row(f"sal_{name}", "1", values, best=0.0))
        rows += ratio_rows(self.subject, "object_number_ratio", self.number)
        layers = len(self.number)

        def size_ratio(totals: Array) -> Array:
            mean = divide(totals[..., :layers], totals[..., layers:])
            return divide(mean[..., 1:], mean[..., :1])

        sums = np.vstack([self.size, self.number])
        sizes = Sampled(self.subject.candidates, sums, size_ratio, 1.0)
        rows.append(self.subject.sampled_row("object_size_ratio", "1", sizes))
        return rows

    def why_undefined(self, row: str) -> str | None:
        return "no sample has rain in both" if row.startswith(("sal_", "object_")) else None


@dataclass(frozen=True, eq=False)
class Shapes:
    """What the rain of samples looks like (n,): mean, volume scaled by its peaks, centre (n, 2) and
    mean distance of objects from it in km, number of objects, cells they cover; largest distance.
    """

    mean: Array
    volume: Array
    centre: Array
    reach: Array
    number: Array
    size: Array
    farthest: float

    @classmethod
    def of(cls, rain: Array, valid: Array, drizzle: float, steps: Array) -> Shapes:
        """Of rain (n, y, x), 0 where not valid; `steps` between rows and columns in km."""
        n, ny, nx = rain.shape
        wet = rain > drizzle
        limit = np.array(
            [
                SHARE * np.quantile(own[chosen], LEVEL) if chosen.any() else np.inf
                for own, chosen in zip(rain, wet, strict=True)
            ]
        )
        numbers, count = label(rain > limit[:, None, None], TOUCHING)
        inside = numbers > 0
        which, values = numbers[inside] - 1, rain[inside]
        sample, y, x = np.nonzero(inside)
        total = np.bincount(which, values, count)
        peak = np.zeros(count)
        np.maximum.at(peak, which, values)
        of = np.zeros(count, np.int64)
        of[which] = sample
        rows, columns = (np.bincount(which, values * one, count) for one in (y, x))
        places = np.stack([rows, columns], axis=1) / np.maximum(total, 1e-300)[:, None] * steps
        whole = rain.sum(axis=(1, 2))
        mass = np.stack(
            [
                np.einsum("nyx,y->n", rain, np.arange(ny) * steps[0]),
                np.einsum("nyx,x->n", rain, np.arange(nx) * steps[1]),
            ],
            axis=1,
        )
        middle = mass / np.where(whole > 0, whole, np.nan)[:, None]
        away = np.linalg.norm(places - middle[of], axis=1)
        weight = np.bincount(of, total, n)
        return cls(
            divide(whole, valid.sum(axis=(1, 2))),
            divide(np.bincount(of, total**2 / np.maximum(peak, 1e-300), n), weight),
            middle,
            divide(np.bincount(of, total * away, n), weight),
            np.bincount(of, minlength=n).astype(np.float64),
            np.bincount(sample, minlength=n).astype(np.float64),
            float(np.hypot((ny - 1) * steps[0], (nx - 1) * steps[1])),
        )

    def beside(self, truth: Shapes) -> Array:
        """Structure, amplitude and location (3, n) of a prediction; NaN where rain lacks."""

        def unlike(own: Array, other: Array) -> Array:
            return 2 * divide(own - other, own + other)

        moved = np.linalg.norm(self.centre - truth.centre, axis=1)
        scattered = 2 * np.abs(self.reach - truth.reach)
        return np.stack(
            [
                unlike(self.volume, truth.volume),
                unlike(self.mean, truth.mean),
                divide(moved + scattered, self.farthest),
            ]
        )
