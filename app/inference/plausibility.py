"""Whether a trained model is fed with values like those of its training."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from absl import logging

from app.arrays import Array
from app.models.known_inputs import KnownInputs
from app.models.spec import Channel

SAMPLED_TIMES = 24  # spread over the record
FAR = 0.5  # of the width of the training range: further beyond it than another climate goes
LEAST_FAR = 0.001  # share of values that far outside that is told from single extremes
ABSURD = 5.0  # widths beyond the range that not even a single value goes
MOST_OUTSIDE = 0.9  # share of values outside the range that no change of climate brings
TINY = 0.005  # of the largest absolute value of training: below, the unit is in doubt


def compare_with_training(
    read: Callable[[Array], Array],
    times: int,
    channels: Sequence[Channel],
    known: KnownInputs,
) -> None:
    """Warn of inputs far from those of training, a line each; read at some of the times.

    `read(rows)` gives coarse inputs (n, h, w, Cin) in the channels' units. Inputs somewhat beyond
    the range, as another climate has them, are mentioned.
    """
    rows = np.unique(np.linspace(0, times - 1, min(times, SAMPLED_TIMES)).astype(np.int64))
    fields = read(rows)
    for c, channel in enumerate(channels):
        values = fields[..., c][np.isfinite(fields[..., c]) & known.valid[..., c]]
        if values.size:
            _compare(values.astype(np.float64), channel, float(known.low[c]), float(known.high[c]))


def _compare(values: Array, channel: Channel, low: float, high: float) -> None:
    beyond = np.maximum(low - values, values - high)
    rounding = 1e-5 * max(abs(low), abs(high), high - low)
    outside = float(np.mean(beyond > rounding))
    far = float(np.mean(beyond > max(FAR * (high - low), rounding)))
    absurd = beyond.max() > max(ABSURD * (high - low), rounding)
    unit = f" {channel.units}" if channel.units not in ("", "1") else ""
    trained = f"{low:.4g} to {high:.4g}{unit}"
    if outside:
        line = (
            f"{channel.name}: {_percent(outside)} of the input's values lie outside the range of "
            f"training ({trained}), by up to {beyond.max():.3g}{unit}"
        )
        if absurd or far >= LEAST_FAR or outside > MOST_OUTSIDE:
            logging.warning("%s; are the units right?", line)
        else:
            logging.info("%s", line)
        return
    largest = float(np.abs(values).max())
    if 0 < largest < TINY * max(abs(low), abs(high)):
        logging.warning(
            "%s: the input's largest value is %.3g%s, in training values range over %s; are the "
            "units right?",
            *(channel.name, largest, unit, trained),
        )


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.1g} %"
