"""Where the sun stands, and what a field that follows it does: for arrays and for tensors alike.

`xp` is what computes: numpy, or keras.ops inside networks.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from app.arrays import Tensor

HARMONICS = 12  # of the day: those beyond are below 1e-3 of a response of an hour or more
HOUR = 2 * np.pi / 24  # of hour angle
TINY = 1e-6


def sun_response(
    xp: ModuleType, sky: Tensor, lat: Tensor, lon: Tensor, hours: tuple[float, ...]
) -> Tensor:
    """What answers to sunshine within so many hours: `(..., H, W, K)` for K times of response.

    `sky` `(..., 2)` as of `app.data.sky.sky`, `lat` and `lon` `(H, W)` radians. The sun's height
    above the horizon (its sine, 0 at night), smoothed by an exponential memory of each time of
    response, as temperature follows radiation that is stored and given off again: the answer of
    τ dG/dt = S - G to days that are all alike. 0 hours give the sun's height itself.
    """
    declination, greenwich = sky[..., None, None, 0], sky[..., None, None, 1]
    up = xp.sin(lat) * xp.sin(declination)
    swing = xp.maximum(xp.cos(lat) * xp.cos(declination), TINY)
    rise = xp.arccos(xp.clip(-up / swing, -1.0, 1.0))
    angle = greenwich + lon
    means = (up * rise + swing * xp.sin(rise)) / np.pi
    answers = [means for _ in hours]
    for n in range(1, HARMONICS + 1):
        size = _harmonic(xp, n, up, swing, rise)
        cosine, sine = xp.cos(n * angle), xp.sin(n * angle)
        for k, response in enumerate(hours):
            lag = n * response * HOUR
            answers[k] = answers[k] + size * (cosine + lag * sine) / (1 + lag**2)
    return xp.stack(answers, axis=-1)


def _harmonic(xp: ModuleType, n: int, up: Tensor, swing: Tensor, rise: Tensor) -> Tensor:
    """Fourier coefficient of max(0, up + swing cos h) over the hour angle h."""
    below = rise if n == 1 else xp.sin((n - 1) * rise) / (n - 1)
    around = below + xp.sin((n + 1) * rise) / (n + 1)
    return (2 * up * xp.sin(n * rise) / n + swing * around) / np.pi
