"""Figures on scales and members: variance spectra and the rank histogram."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from app.metrics.results import VariableResult
from app.metrics.spectra import Spectra
from app.metrics.table import MODEL, Table
from app.metrics.wet_probability import WetProbabilitySums
from app.report.style import MODEL_COLOUR, colour, open_frame, title

OTHERS = ("#8a8f98", "#4aa3a2", "#2e7d4f", "#b8901c", "#8566aa")  # colours of other candidates
DASHES = ("--", ":", "-.", (0, (6, 2)), (0, (3, 1, 1, 1, 1, 1)))
TICKS = (1, 2, 5)  # of each decade of wavelength
RATIO_RANGE = (-30.0, 10.0)  # dB: beyond it a scale is gone, or nonsense
HISTOGRAM_TOP = 1.15  # of the tallest bar


def spectra_chart(result: VariableResult, spectra: Spectra, table: Table) -> Figure:
    """Variance by wavelength of truth and candidates, and the candidates' ratio to the truth."""
    figure = Figure(figsize=(8.6, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True)
    left.plot(spectra.wavelengths, spectra.truth, color="black", lw=2.2, label="truth")
    styles = _line_styles(result.candidates)
    for name, power, ratio in zip(
        result.candidates, spectra.candidates, spectra.ratios, strict=True
    ):
        distance = table.value(f"log_spectral_distance{result.label}", name)
        text = title(name) + (f" ({distance:.2g} dB)" if np.isfinite(distance) else "")
        left.plot(spectra.wavelengths, power, label=text, **styles[name])
        right.plot(spectra.wavelengths, ratio, **styles[name])
    _wavelength_axis(left, spectra.wavelengths)
    left.set_yscale("log")
    left.set_ylabel(f"variance in band [({result.variable.units or '1'})²]", fontsize=8)
    left.set_title("variance spectrum", fontsize=9)
    _ratio_panel(right, spectra)
    for axes in (left, right):
        open_frame(axes, "both")
        axes.set_xlabel("wavelength [km]", fontsize=8)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=7, frameon=False)
    figure.suptitle(
        f"{result.variable.name}: variance by scale, log-spectral distance in brackets",
        fontsize=10,
    )
    return figure


def _line_styles(candidates: Sequence[str]) -> dict[str, dict]:
    """The prediction in front and thick, the linear regression whole, the others dashed."""
    styles: dict[str, dict] = {
        MODEL: {"color": colour(MODEL), "lw": 2.0, "zorder": 4},
        "linear": {"color": colour("linear"), "lw": 1.5, "zorder": 3},
    }
    for i, name in enumerate(name for name in candidates if name not in styles):
        shade, dash = OTHERS[i % len(OTHERS)], DASHES[i % len(DASHES)]
        styles[name] = {"color": shade, "lw": 1.4, "ls": dash, "zorder": 2.5}
    return styles


def _wavelength_axis(axes: Axes, wavelengths: np.ndarray) -> None:
    """Long waves to the left, ticks at round lengths."""
    axes.set_xscale("log")
    axes.set_xlim(wavelengths[0] * 1.05, wavelengths[-1] / 1.05)
    decades = 10.0 ** np.arange(-3, 6)
    axes.xaxis.set_major_locator(FixedLocator(np.outer(decades, TICKS).ravel().tolist()))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _ratio_panel(axes: Axes, spectra: Spectra) -> None:
    """The zero line, and the third of the bands that power_ratio_high speaks of."""
    finite = spectra.ratios[np.isfinite(spectra.ratios)]
    low, high = RATIO_RANGE
    if finite.size:
        low, high = max(low, float(finite.min()) - 1), min(high, float(finite.max()) + 1)
    axes.set_ylim(min(low, -1.0), max(high, 1.0))
    axes.axhline(0, color="black", lw=2.2)
    axes.axvspan(
        spectra.wavelengths[spectra.high][0], spectra.wavelengths[-1], color="0.95", zorder=0
    )
    axes.set_ylabel("10·log₁₀(P / P of the truth) [dB]", fontsize=8)
    axes.set_title("ratio to the truth; shaded: the shortest third", fontsize=9)


def rank_chart(result: VariableResult, shares: np.ndarray, table: Table) -> Figure:
    """How often the truth takes each rank among the members, against a flat histogram."""
    members = len(shares) - 1
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.subplots()
    relative = shares * len(shares)
    axes.bar(np.arange(len(shares)), relative, width=0.9, color=MODEL_COLOUR, alpha=0.85)
    axes.axhline(1.0, color="black", lw=1.2, ls="--")
    axes.set_ylim(0, HISTOGRAM_TOP * max(1.0, float(relative.max())))
    axes.set_xlim(-0.6, members + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    open_frame(axes, "y")
    axes.set_xlabel("number of members below the truth", fontsize=8)
    axes.set_ylabel("frequency relative to flat", fontsize=8)
    spread, index = (
        table.value(f"{metric}{result.label}") for metric in ("spread_skill", "reliability_index")
    )
    axes.set_title(f"spread/skill {spread:.3g}, reliability index {index:.3g} %", fontsize=9)
    figure.suptitle(f"{result.variable.name}: rank histogram of {members} members", fontsize=10)
    return figure


def reliability_chart(result: VariableResult, sums: WetProbabilitySums) -> Figure:
    """How often it is wet where the members say so, and how often they say what."""
    share, told, found = sums.reliability
    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    known = np.isfinite(told)
    axes.plot([0, 1], [0, 1], color="black", lw=1.2, ls="--")
    axes.axhline(sums.wet / sums.weight, color="0.6", lw=1.0)
    axes.plot(told[known], found[known], marker="o", ms=4, color=MODEL_COLOUR)
    axes.set_ylim(0, 1)
    axes.set_ylabel("wet share of the truth", fontsize=8)
    axes.set_title(f"Brier score {sums.score:.3g}, skill {sums.skill:.3g}", fontsize=9)
    centres = (np.arange(len(share)) + 0.5) / len(share)
    below.bar(centres, share, width=0.9 / len(share), color=MODEL_COLOUR, alpha=0.85)
    below.set_ylabel("share of values", fontsize=8)
    below.set_xlabel("share of wet members", fontsize=8)
    for each in (axes, below):
        open_frame(each, "y")
    figure.suptitle(f"{result.variable.name}: reliability of the wet probability", fontsize=10)
    return figure
