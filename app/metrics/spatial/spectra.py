"""Variance by scale of fields on a limited area, and how candidates differ from the truth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.fft import dctn
from scipy.ndimage import distance_transform_edt

from app.arrays import Array
from app.grids.sphere import unit_vectors
from app.metrics.arithmetic import divide
from app.metrics.bootstrap import block_length
from app.metrics.climatic.days import starts_of
from app.metrics.drawing.units import squared
from app.metrics.metric import CONSTANT, Block, Metric, Sheet, Subject, Totals
from app.metrics.sampled import LOWEST, Best, Sampled
from app.metrics.table import About, Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from app.grids import Grid
    from app.metrics.metric import Result

EARTH_RADIUS = 6371.0  # km
MIN_BANDS = 3  # fewer say nothing of a spectrum
FEW_MISSING = 0.05  # share of the cells that a sample may lack
ROUNDING = 1e-7  # of the values: float32 cannot tell a smaller standard deviation from none
DECIBEL = 10.0
ROWS = ("log_spectral_distance", "power_ratio_high", "power_worst_high")
FROM_MODES = (
    "discrete cosine transform; variance in bands of isotropic wavenumber",
    "none",
    "space within each sample, mean over samples, then bands",
)
NO_VARIANCE = "the truth or the prediction has no variance in some band of wavelengths"


def spacing(grid: Grid) -> tuple[float, float]:
    """Mean great-circle distance of neighbouring rows and columns, km."""
    points = unit_vectors(*grid.mesh())

    def mean_step(axis: int) -> float:
        chord = np.linalg.norm(np.diff(points, axis=axis), axis=-1)
        return float(EARTH_RADIUS * 2 * np.arcsin(chord / 2).mean()) if chord.size else np.nan

    return mean_step(0), mean_step(1)


@dataclass(frozen=True, eq=False)
class Bands:
    """Annuli of two-dimensional wavenumber: the band (y, x) of each mode, and wavelengths in km.

    The mode (m, n) of a cosine transform has the wavenumber κ = ½·sqrt((m/Ly)² + (n/Lx)²).
    Band k holds |2Lκ - k| < ½, L the shorter side; wavelength 2L/k. Modes outside all bands,
    longer than the shorter side allows or beyond the Nyquist wavenumber of the coarser spacing,
    are in band 0.
    """

    number: Array
    wavelengths: Array

    @classmethod
    def of(cls, grid: Grid) -> Bands:
        steps, shape = np.array(spacing(grid)), np.array(grid.shape)
        if min(shape) < 2:
            return cls(np.zeros(shape, dtype=np.int64), np.zeros(0))
        sides = steps * shape
        shorter = sides.min()
        m, n = np.ogrid[: shape[0], : shape[1]]
        scaled = shorter * np.hypot(m / sides[0], n / sides[1])
        number = np.floor(scaled + 0.5).astype(np.int64)
        count = max(0, int(shorter / steps.max() - 0.5 + 1e-9))
        number[number > count] = 0
        return cls(number, 2 * shorter / np.arange(1, count + 1))

    def gather(self, power: Array) -> Array:
        """Sums of (…, y, x) over the modes of each band: (…, K)."""
        count, flat = len(self.wavelengths), self.number.ravel()
        modes = power.reshape(-1, flat.size)
        sums = [np.bincount(flat, weights=row, minlength=count + 1)[1:] for row in modes]
        return np.array(sums).reshape(*power.shape[:-2], count)


def nearest_valid(valid: Array) -> Array:
    """Flat index of the nearest valid cell (n, y·x) of every cell; `valid` (n, y, x).

    Each sample has a valid cell. Distances are counted in cells.
    """
    _, y, x = valid.shape
    found = np.tile(np.arange(y * x), (len(valid), 1))
    lacking = np.flatnonzero(~valid.all(axis=(1, 2)))
    if not len(lacking):
        return found
    packed = np.packbits(valid[lacking].reshape(len(lacking), -1), axis=1)
    _, first, which = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    for m, sample in enumerate(lacking[first]):
        rows, columns = distance_transform_edt(
            ~valid[sample], return_distances=False, return_indices=True
        )
        found[lacking[which.ravel() == m]] = (rows * x + columns).ravel()
    return found


def completed(block: Block) -> tuple[Array, Iterator[Iterator[Array]]]:
    """Which samples (n,) lack few cells or none, and the fields (n, y, x) of these alone.

    First those of the truth, then of each candidate's versions: float64 less the mean of the truth,
    each missing cell filled by the nearest valid one.
    """
    if block.complete:
        return np.ones(len(block.truth), dtype=bool), block.version_anomalies()
    used = 1 - block.valid.mean(axis=(1, 2)) <= FEW_MISSING
    if not used.any():
        return used, iter(())
    origin, nearest = np.float64(block.subject.truth.mean), nearest_valid(block.valid[used])

    def whole(fields: Array) -> Array:
        taken = np.take_along_axis(fields[used].reshape(len(nearest), -1), nearest, axis=1)
        result: Array = taken.reshape(len(nearest), *fields.shape[1:]) - origin
        return result

    return used, (map(whole, stack) for stack in block.stacks)


def mode_variance(fields: Array) -> Array:
    """Variance of each cosine mode of fields (n, y, x), in units squared.

    F²/(Ny·Nx), F the orthonormal DCT-II, which takes a limited area as mirrored at its borders:
    no trend has to be removed and no window hides the borders. All modes but the mean add up to
    the variance of the field.
    Denis, Côté and Laprise (2002),
    doi:10.1175/1520-0493(2002)130<1812:SDOTDA>2.0.CO;2
    """
    modes = dctn(fields, axes=(-2, -1), norm="ortho")
    result: Array = np.square(modes, out=modes)
    result /= modes[0].size
    return result


@dataclass(frozen=True, eq=False)
class Spectra:
    """Mean variance spectra: of the truth (…, K), of the candidates (…, k, K), units squared."""

    wavelengths: Array
    truth: Array
    candidates: Array

    @property
    def varied(self) -> bool:
        """Whether the truth or a candidate has variance in any band."""
        return bool(np.isfinite(self.truth).any() or np.isfinite(self.candidates).any())

    @property
    def ratios(self) -> Array:
        """10·log10(P / P_truth) in dB (…, k, K)."""
        with np.errstate(divide="ignore", invalid="ignore"):
            result: Array = DECIBEL * np.log10(self.candidates / self.truth[..., None, :])
            return result

    @property
    def high(self) -> slice:
        """The third of the bands with the shortest waves."""
        return slice(len(self.wavelengths) - len(self.wavelengths) // 3, None)

    def log_spectral_distance(self) -> Array:
        """Root over bands of the mean of (10·log10(P_truth / P))², dB (…, k)."""
        result: Array = np.sqrt(np.square(self.ratios).mean(axis=-1))
        return result

    def power_ratio_high(self) -> Array:
        """Mean of 10·log10(P / P_truth) over the shortest third of the bands, dB (…, k)."""
        result: Array = self.ratios[..., self.high].mean(axis=-1)
        return result

    def power_worst_high(self) -> Array:
        """10·log10(P / P_truth) of the band in the shortest third that is furthest off, dB (…, k).

        NaN where a band has no variance.
        """
        ratios = self.ratios[..., self.high]
        off = np.where(np.isnan(ratios), np.inf, np.abs(ratios))
        worst = np.argmax(off, axis=-1, keepdims=True)
        result: Array = np.take_along_axis(ratios, worst, axis=-1)[..., 0]
        return result


class Spectrum(Metric):
    """Sums of the variance in each band over the samples whose fields are complete, or nearly.

    power (1 + k, K, b): of each block of consecutive samples, as long as intervals have them; used
    (b,): samples in it. complete, filled: how many samples have every value, and how many had few
    cells filled.
    """

    summed = ("power", "used", "complete", "filled")
    about: ClassVar[Mapping[str, About]] = {
        "log_spectral_distance": About(
            "log spectral distance",
            "sqrt(mean (10 · log₁₀(P_truth / P))²)",
            *FROM_MODES,
        ),
        "power_ratio_high": About(
            "variance at short waves over the truth's",
            "mean 10 · log₁₀(P / P_truth), over the third of the bands with the shortest waves",
            *FROM_MODES,
        ),
        "power_worst_high": About(
            "variance over the truth's in the band of short waves that is furthest off",
            "10 · log₁₀(P / P_truth)",
            *FROM_MODES,
        ),
    }
    definitions = (
        "log_spectral_distance: root of the mean over bands of (10·log10(P_truth / P))²."
        " power_ratio_high: mean of 10·log10(P / P_truth) over the third of the bands with the"
        " shortest waves, below 0 too smooth; power_worst_high: of the band there that is furthest"
        " off. P: mean over samples of the variance in each band of isotropic wavenumber, from the"
        " discrete cosine transform (Denis et al. 2002) of samples where truth and all candidates"
        " have every value, or lack no more than a twentieth of the cells, which then take the"
        " value of the nearest cell that has one, in the truth as in all candidates; bands as wide"
        " as the wavenumber of twice the shorter side, up to the Nyquist wavenumber of the coarser"
        " spacing.",
    )

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.bands = Bands.of(subject.grid)
        self.length = block_length(subject.times)
        blocks = -(-subject.samples // self.length)
        fields = 1 + len(subject.candidates)
        self.power = np.zeros((fields, len(self.bands.wavelengths), blocks))
        self.used = np.zeros(blocks)
        self.complete = self.filled = 0  # samples

    def add(self, block: Block) -> None:
        used, stacks = completed(block)
        if not used.any() or len(self.bands.wavelengths) < MIN_BANDS:
            return
        complete = block.valid.all(axis=(1, 2))
        self.complete += int(complete.sum())
        self.filled += int((used & ~complete).sum())
        place = block.indices[used] // self.length
        np.add.at(self.used, place, 1)
        starts = starts_of(place)
        for total, versions, stack in zip(self.power, stacks, block.stacks, strict=True):
            for fields in versions:
                power = np.add.reduceat(mode_variance(fields), starts, axis=0)
                np.add.at(total.T, place[starts], self.bands.gather(power) / len(stack))

    def result(self) -> Spectra | None:
        """Spectra, NaN where there is no variance beyond rounding; None without a sample."""
        if not self.complete + self.filled:
            return None
        return self._spectra(self._sums.sum(axis=1))

    @property
    def _sums(self) -> Array:
        """All that is summed by block, one column behind the other."""
        return np.vstack([self.power.reshape(-1, len(self.used)), self.used])

    def _spectra(self, totals: Array) -> Spectra:
        """Spectra of totals (…, c) of `_sums`."""
        power = divide(totals[..., :-1], totals[..., -1:])
        power = power.reshape(*totals.shape[:-1], *self.power.shape[:2])
        variance = power[..., 0, :].sum(axis=-1)[..., None, None]
        floor = ROUNDING**2 * (self.subject.truth.mean**2 + variance)
        power = np.where(power > floor, power, np.nan)
        return Spectra(self.bands.wavelengths, power[..., 0, :], power[..., 1:, :])

    def rows(self, errors: Totals) -> list[Row]:
        spectra = self.result()
        if spectra is None:
            return [Row(name, "dB", {}) for name in ROWS]

        sums = self._sums

        def row(name: str, best: Best) -> Row:
            def of(totals: Array) -> Array:
                result: Array = getattr(self._spectra(totals), name)()
                return result

            made = Sampled(self.subject.candidates, sums, of, best, self.length)
            return self.subject.sampled_row(name, "dB", made)

        return [row(name, best) for name, best in zip(ROWS, (LOWEST, 0.0, None), strict=True)]

    def remarks(self) -> list[str]:
        waves, spectra = self.bands.wavelengths, self.result()
        if len(waves) < MIN_BANDS:
            return ["no spectra, the grid is too small"]
        if spectra is None:
            return ["no spectra, every sample lacks more than a twentieth of the domain"]
        if not np.isfinite(spectra.truth).any():
            return ["no spectra, the truth does not vary in space"]
        return [
            f"spectra of {self.complete} of {self.subject.samples} samples that are complete and"
            f" {self.filled} with few cells filled, {len(waves)} bands of wavelength"
            f" {waves[0]:.4g} to {waves[-1]:.4g} km"
        ]

    def why_undefined(self, row: str) -> str | None:
        if row not in ROWS:
            return None
        return NO_VARIANCE if self.subject.truth.width else CONSTANT

    def tables(self) -> dict[str, Sheet]:
        spectra = self.result()
        if spectra is None or not spectra.varied:
            return {}
        fields = ("truth", *self.subject.candidates)
        variances = np.vstack([spectra.truth, spectra.candidates])
        head = (self.subject.variable.name, squared(self.subject.unit))
        rows: list[list[object]] = [
            [*head, name, *band]
            for name, own in zip(fields, variances, strict=True)
            for band in zip(spectra.wavelengths, own, strict=True)
        ]
        return {"spectra": Sheet(("variable", "unit", "field", "wavelength_km", "variance"), rows)}

    def figures(self, result: Result) -> dict[str, Figure]:
        from app.metrics.drawing.spectra import spectra_chart

        spectra = self.result()
        if spectra is None or not spectra.varied:
            return {}
        drawn = spectra.wavelengths, spectra.truth, spectra.candidates, spectra.ratios, spectra.high
        return {"spectra": spectra_chart(*drawn, result)}
