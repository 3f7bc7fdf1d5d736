"""Power by wavelength, season by season, with a window and a trend taken off if wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from app.arrays import Array
from app.data.times import Stamps
from app.metrics.bootstrap import TimeBlocks
from app.metrics.climatic.days import SEASONS, season_of
from app.metrics.metric import Block, Metric, Sheet, Subject, Totals
from app.metrics.sampled import LOWEST, Sampled
from app.metrics.spatial.spectra import DECIBEL, MIN_BANDS, completed, spacing
from app.metrics.table import About

if TYPE_CHECKING:
    from app.grids import Grid
    from app.metrics.table import Row

YEAR = "year"
COLUMNS = ("variable", "season", "wavelength_km", "samples", "candidate", "power")
NAME = "ralsd"


@dataclass(frozen=True, eq=False)
class Modes:
    """Modes of a real Fourier transform: band of each (y, x // 2 + 1), 0 of none; wavelengths, km.

    Band k holds |Lκ - k| < ½, κ the wavenumber and L the shorter side; wavelength L/k, up to the
    Nyquist wavenumber of the coarser spacing. twice: how often a mode counts.
    """

    number: Array
    wavelengths: Array
    twice: Array

    @classmethod
    def of(cls, grid: Grid) -> Modes:
        steps, (ny, nx) = spacing(grid), grid.shape
        if min(ny, nx) < 2:
            return cls(np.zeros((ny, nx // 2 + 1), np.int64), np.zeros(0), np.zeros(nx // 2 + 1))
        shorter = min(steps[0] * ny, steps[1] * nx)
        y, x = np.fft.fftfreq(ny, steps[0]), np.fft.rfftfreq(nx, steps[1])
        number = np.floor(shorter * np.hypot(y[:, None], x) + 0.5).astype(np.int64)
        count = int(shorter / (2 * max(steps)) + 1e-9)
        number[number > count] = 0
        twice = np.full(len(x), 2.0)
        twice[0] = 1.0
        if nx % 2 == 0:
            twice[-1] = 1.0
        return cls(number, shorter / np.arange(1, count + 1), twice)

    def power(self, fields: Array) -> Array:
        """Variance in each band (K,), summed over fields (n, y, x)."""
        *_, y, x = fields.shape
        modes = np.abs(np.fft.rfft2(fields)) ** 2
        total = modes.sum(axis=0) * self.twice / (y * x) ** 2
        count = len(self.wavelengths)
        sums = np.bincount(self.number.ravel(), total.ravel(), minlength=count + 1)
        result: Array = sums[1 : count + 1]
        return result


class SeasonSpectra(Metric):
    """Power, the truth first (1 + k, K, b), and how many samples (b,), by blocks of one season.

    Of samples that are complete, or nearly, as for the spectra of the core.
    """

    core = False
    summed = ("power", "samples")
    about: ClassVar[Mapping[str, About]] = {
        NAME: About(
            "radially averaged log spectral distance",
            "sqrt(mean (10 · log₁₀(P_truth / P))²)",
            "Fourier transform, window and trend as the notes say; bands of isotropic wavenumber",
            "none",
            "space within each sample, mean over samples, then bands",
        )
    }
    definitions = (
        "ralsd, ralsd_S: radially averaged log spectral distance (Harris et al. 2022) of the year"
        " and of seasons; season_spectra.csv has the spectra.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.modes = Modes.of(subject.grid)
        _, months = Stamps.of(subject.times).fields()
        season = season_of(months)
        self.blocks = TimeBlocks.of(subject.times, season)
        self.season = np.zeros(self.blocks.count, np.int64)
        self.season[self.blocks.place] = season
        layers = 1 + len(subject.candidates)
        self.power = np.zeros((layers, len(self.modes.wavelengths), self.blocks.count))
        self.samples = np.zeros(self.blocks.count)
        how = subject.scoring
        self.window = window(how.spectrum_window, subject.area.shape)

    def add(self, block: Block) -> None:
        if len(self.modes.wavelengths) < MIN_BANDS:
            return
        used, stacks = completed(block)
        place = self.blocks.place[block.indices[used]]
        np.add.at(self.samples, place, 1)
        detrend = self.subject.scoring.spectrum_detrend
        for layer, (versions, stack) in enumerate(zip(stacks, block.stacks, strict=False)):
            for fields in versions:
                kept = detrended(fields, detrend) * self.window
                for b in np.unique(place):
                    self.power[layer, :, b] += self.modes.power(kept[place == b]) / len(stack)

    @cached_property
    def parts(self) -> dict[str, Array]:
        """Numbers of the blocks of the year and of the seasons that are there."""
        held = self.samples > 0
        found = {YEAR: held}
        found |= {name: held & (self.season == s) for s, name in enumerate(SEASONS)}
        return {name: np.flatnonzero(own) for name, own in found.items() if own.any()}

    @property
    def spectra(self) -> dict[str, tuple[int, Array]]:
        """Samples and mean power (1 + k, K) of the year and of the seasons that are there."""
        found = {}
        for name, own in self.parts.items():
            n = self.samples[own].sum()
            found[name] = int(n), self.power[..., own].sum(axis=-1) / n
        return found

    def rows(self, errors: Totals) -> list[Row]:
        rows, layers = [], len(self.power)
        for name, own in self.parts.items():
            label = NAME if name == YEAR else f"{NAME}_{name}"
            sums = np.vstack([self.power[..., own].reshape(-1, len(own)), self.samples[own]])
            of = partial(_distance, layers=layers)
            made = Sampled(self.subject.candidates, sums, of, LOWEST, self.blocks.span)
            rows.append(self.subject.sampled_row(label, "dB", made))
        return rows

    def remarks(self) -> list[str]:
        how = self.subject.scoring
        taken_off = TAKEN_OFF[how.spectrum_detrend]
        return [f"ralsd: window {how.spectrum_window}, taken off each field: {taken_off}"]

    def why_undefined(self, row: str) -> str | None:
        reason = "the truth or the prediction has no variance in some band of wavelengths"
        return reason if row.startswith(NAME) else None

    def tables(self) -> dict[str, Sheet]:
        names = ("truth", *self.subject.candidates)
        lines: list[list[object]] = [
            [self.subject.variable.name, season, float(wave), n, name, float(value)]
            for season, (n, power) in self.spectra.items()
            for name, own in zip(names, power, strict=True)
            for wave, value in zip(self.modes.wavelengths, own, strict=True)
        ]
        return {"season_spectra": Sheet(COLUMNS, lines)}


def _distance(totals: Array, layers: int) -> Array:
    """Log spectral distance (…, k) of power, the truth's first, and samples (…, (1 + k)K + 1)."""
    mean = totals[..., :-1] / np.maximum(totals[..., -1:], 1.0)
    power = mean.reshape(*totals.shape[:-1], layers, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = DECIBEL * np.log10(power[..., :1, :] / power[..., 1:, :])
    distance = np.sqrt(np.square(ratio).mean(axis=-1))
    return np.where(np.isfinite(distance), distance, np.nan)


TAKEN_OFF = {"none": "nothing", "mean": "its mean", "plane": "a plane"}


def window(name: str, shape: tuple[int, ...]) -> Array:
    """Window (y, x) whose squares have the mean 1."""
    if name == "none":
        return np.ones(shape)
    y, x = (np.hanning(n + 2)[1:-1] for n in shape)
    both = np.outer(y, x)
    result: Array = both / np.sqrt(np.square(both).mean())
    return result


def detrended(fields: Array, what: str) -> Array:
    """Fields (n, y, x) less nothing, their mean, or the plane of least squares."""
    if what == "none":
        return fields
    fields = fields - fields.mean(axis=(1, 2), keepdims=True)
    if what == "plane":
        for axis in (1, 2):
            n = fields.shape[axis]
            place = np.arange(n) - (n - 1) / 2
            place = place.reshape([-1 if a == axis else 1 for a in range(3)])
            size = (place**2).sum() * fields[0].size / n
            slope = (fields * place).sum(axis=(1, 2), keepdims=True) / max(size, 1.0)
            fields = fields - slope * place
    return fields
