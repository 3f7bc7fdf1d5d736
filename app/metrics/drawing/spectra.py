"""Figure on scales: variance spectra and their ratio to the truth's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from app.arrays import Array, Json
from app.metrics.drawing.style import colour, open_frame, title
from app.metrics.table import MODEL

if TYPE_CHECKING:
    from app.metrics.metric import Result

OTHERS = ("#8a8f98", "#4aa3a2", "#2e7d4f", "#b8901c", "#8566aa")  # colours of other candidates
DASHES = ("--", ":", "-.", (0, (6, 2)), (0, (3, 1, 1, 1, 1, 1)))
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
    styles = _line_styles(result.subject.candidates)
    for name, power, ratio in zip(result.subject.candidates, candidates, ratios, strict=True):
        distance = result.value("log_spectral_distance", name)
        text = title(name) + (f" ({distance:.2g} dB)" if np.isfinite(distance) else "")
        left.plot(wavelengths, power, label=text, **styles[name])
        right.plot(wavelengths, ratio, **styles[name])
    _wavelength_axis(left, wavelengths)
    left.set_yscale("log")
    left.set_ylabel(f"variance in band [({result.subject.unit})²]", fontsize=8)
    left.set_title("variance spectrum", fontsize=9)
    _ratio_panel(right, wavelengths, ratios, shortest)
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


def _line_styles(candidates: Sequence[str]) -> dict[str, Json]:
    """The prediction in front and thick, the linear regression whole, the others dashed."""
    styles: dict[str, Json] = {
        MODEL: {"color": colour(MODEL), "lw": 2.0, "zorder": 4},
        "linear": {"color": colour("linear"), "lw": 1.5, "zorder": 3},
    }
    for i, name in enumerate(name for name in candidates if name not in styles):
        shade, dash = OTHERS[i % len(OTHERS)], DASHES[i % len(DASHES)]
        styles[name] = {"color": shade, "lw": 1.4, "ls": dash, "zorder": 2.5}
    return styles


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
