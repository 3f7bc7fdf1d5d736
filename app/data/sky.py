"""Where the sun stands at a time."""

from __future__ import annotations

import numpy as np

from app.arrays import Array
from app.data.times import DAY, Stamps, share_of_year

# Spencer 1971, Fourier series representation of the position of the sun, Search 2(5), 172: a
# constant, then cosine and sine of each multiple of the angle of the year; radians.
DECLINATION = ((0.006918,), (-0.399912, 0.070257), (-0.006758, 0.000907), (-0.002697, 0.00148))
EQUATION_OF_TIME = ((0.000075,), (0.001868, -0.032077), (-0.014615, -0.040849))


def sky(stamps: Stamps) -> Array:
    """Sun's declination and its hour angle at Greenwich, from -π to π, radians: (n, 2) float32.

    To about 0.2 degrees and a minute of time: the series knows no leap years.
    """
    year = 2 * np.pi * share_of_year(stamps)
    clock = 2 * np.pi * ((stamps.seconds % DAY) / DAY - 0.5)
    hour = clock + _series(EQUATION_OF_TIME, year)
    hour = (hour + np.pi) % (2 * np.pi) - np.pi
    result: Array = np.stack([_series(DECLINATION, year), hour], axis=-1).astype(np.float32)
    return result


def _series(terms: tuple[tuple[float, ...], ...], angle: Array) -> Array:
    (constant,), *waves = terms
    parts = [a * np.cos(n * angle) + b * np.sin(n * angle) for n, (a, b) in enumerate(waves, 1)]
    result: Array = constant + sum(parts)
    return result
