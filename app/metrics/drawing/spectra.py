"""Figure on scales: variance spectra and their ratio to the truth's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from app.arrays import Array
from app.metrics.drawing.style import letter, look, open_frame
from app.metrics.drawing.units import squared

if TYPE_CHECKING:
    from app.metrics.metric import Result

TICKS = (1, 2, 5)  # of each decade of wavelength
RATIO_RANGE = (-30.0, 10.0)  # dB: beyond it a scale is gone, or nonsense


def spectra_chart(
    wavelengths: Array,
    truth: Array,
    candidates: Array,
    ratios: Array,
    shortest: slice,
    result: Result,
) -> Figure:
    """Variance by wavelength (K,) of truth (K,) and candidates (k, K), and their ratios in dB.

    `shortest`: the bands that power_ratio_high speaks of.
    """
    figure = Figure(figsize=(8.6, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True)
    left.plot(wavelengths, truth, color="black", lw=2.2, label="truth")
    looks = look(result.subject.candidates)
    for name, power, ratio in zip(result.subject.candidates, candidates, ratios, strict=True):
        distance = result.value("log_spectral_distance", name)
        text = result.subject.called(name) + (
            f" ({distance:.2g} dB)" if np.isfinite(distance) else ""
        )
        left.plot(wavelengths, power, label=text, **looks[name].line)
        right.plot(wavelengths, ratio, **looks[name].line)
    _wavelength_axis(left, wavelengths)
    left.set_yscale("log")
    left.set_ylabel(f"variance in band [{squared(result.subject.unit)}]", fontsize=8)
    left.set_title("variance spectrum", fontsize=9)
    _ratio_panel(right, wavelengths, ratios, shortest)
    letter((left, right))
    for axes in (left, right):
        open_frame(axes, "both")
        axes.set_xlabel("wavelength [km]", fontsize=8)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=7, frameon=False)
    figure.suptitle(
        f"{result.subject.variable.name}: variance by scale, log-spectral distance in brackets",
        fontsize=10,
    )
    return figure


def _wavelength_axis(axes: Axes, wavelengths: Array) -> None:
    """Long waves to the left, ticks at round lengths."""
    axes.set_xscale("log")
    axes.set_xlim(wavelengths[0] * 1.05, wavelengths[-1] / 1.05)
    decades = 10.0 ** np.arange(-3, 6)
    axes.xaxis.set_major_locator(FixedLocator(np.outer(decades, TICKS).ravel().tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _ratio_panel(axes: Axes, wavelengths: Array, ratios: Array, shortest: slice) -> None:
    """The zero line, and the third of the bands that power_ratio_high speaks of."""
    finite = ratios[np.isfinite(ratios)]
    low, high = RATIO_RANGE
    if finite.size:
        low, high = max(low, float(finite.min()) - 1), min(high, float(finite.max()) + 1)
    axes.set_ylim(min(low, -1.0), max(high, 1.0))
    axes.axhline(0, color="black", lw=2.2)
    axes.axvspan(wavelengths[shortest][0], wavelengths[-1], color="0.95", zorder=0)
    axes.set_ylabel("10·log₁₀(P / P of the truth) [dB]", fontsize=8)
    axes.set_title("ratio to the truth; shaded: the shortest third", fontsize=9)
