"""What can be named in a flag: kind and name → builder, by import path.

Names are listed without importing what they name, so that `--help` and `list` stay fast.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

from app.errors import InputError


@dataclass(frozen=True)
class Entry:
    """One registered name; `path` is "module:attribute", empty where the name says it all."""

    name: str
    summary: str
    path: str = ""


class Registry:
    """Entries by kind, in the order in which they were added."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, Entry]] = {}

    def add(self, kind: str, name: str, summary: str, path: str = "") -> None:
        """Register a name once."""
        entries = self._entries.setdefault(kind, {})
        if name in entries:
            raise ValueError(f"{kind} {name!r} is registered twice")
        entries[name] = Entry(name, summary, path)

    def remove_module(self, module: str) -> None:
        """Forget the names whose builders a module holds."""
        for entries in self._entries.values():
            for name in [n for n, e in entries.items() if e.path.partition(":")[0] == module]:
                del entries[name]

    def kinds(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def entries(self, kind: str) -> tuple[Entry, ...]:
        return tuple(self._entries[kind].values())

    def names(self, kind: str) -> tuple[str, ...]:
        return tuple(self._entries[kind])

    def entry(self, kind: str, name: str) -> Entry:
        return self._entries[kind][name]

    def check(self, kind: str, name: str) -> None:
        """Refuse a name that is not known; InputError lists the known ones."""
        if name not in self._entries[kind]:
            raise InputError(unknown(kind, name, self.names(kind)))

    def resolve(self, kind: str, name: str) -> Any:
        """Import and return what a name stands for; InputError lists the known names."""
        self.check(kind, name)
        module, _, attribute = self._entries[kind][name].path.partition(":")
        return getattr(import_module(module), attribute)


EXTENSIBLE = ("backbone", "loss", "metric", "time_metric", "baseline", "source", "trainer")
Builder = TypeVar("Builder", bound=Callable[..., Any])


def register(kind: str, name: str, summary: str) -> Callable[[Builder], Builder]:
    """Decorator of a function or class at the top of a file: makes it known under a name.

    Example: `@register("loss", "log_cosh", "squared near 0, absolute far off")`

    kind: one of `EXTENSIBLE`; a time_metric scores frames filled in between known ones. summary:
    one line for lists.
    Raises InputError for another kind, and for a name that is taken.
    """
    if kind not in EXTENSIBLE:
        raise InputError(f"register: {unknown('kind', kind, EXTENSIBLE)}")

    def add(builder: Builder) -> Builder:
        path = f"{builder.__module__}:{builder.__qualname__}"
        known = name in REGISTRY.names(kind)
        if known and REGISTRY.entry(kind, name).path != path:  # a cell may run twice
            raise InputError(f"register: there is a {kind} {name!r} already")
        if not known:
            REGISTRY.add(kind, name, summary, path)
        return builder

    return add


def unknown(what: str, name: str, known: tuple[str, ...]) -> str:
    """One line for a name that is not known, with the nearest one that is."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"unknown {what} {name!r}{hint}; known: {', '.join(known)}"


def _builtin() -> Registry:
    registry = Registry()
    for kind, entries in _BUILTIN.items():
        for name, *told in entries:
            if not told:  # the same as of fields in space
                own = registry.entry("metric", name)
                told = [own.summary, own.path]
            registry.add(kind, name, *told)
    return registry


_BUILTIN: dict[str, tuple[tuple[str, ...], ...]] = {
    "trainer": (
        (
            "SupervisedTrainer",
            "pixel, structural or mixed loss",
            "app.methods.supervised.method:Supervised",
        ),
        (
            "CGANTrainer",
            "that loss and a discriminator's judgement",
            "app.methods.cgan.method:Cgan",
        ),
        (
            "DiffusionTrainer",
            "takes noise off; members are drawn by a sampler",
            "app.methods.diffusion.method:Diffusion",
        ),
        (
            "CRPSTrainer",
            "members from noise in one pass, trained on their CRPS",
            "app.methods.crps.method:Crps",
        ),
        (
            "DeepSDTrainer",
            "a stack of stages, each on its own, then joined",
            "app.methods.deepsd.method:DeepSD",
        ),
        (
            "TemDeepTrainer",
            "in time: frames between known ones, learnt from known ones alone",
            "app.methods.temdeep.method:TemDeep",
        ),
    ),
    "task": (
        ("space", "fields finer than those that are given", "app.tasks.space:SpaceTask"),
        ("time", "frames between those that are given", "app.tasks.time:TimeTask"),
        ("chain", "finer fields, then the frames between them", "app.tasks.chain:SpaceThenTime"),
    ),
    "backbone": (
        ("convnet", "plain convolutional blocks", "app.models.backbones:convnet"),
        ("resnet", "residual blocks", "app.models.backbones:resnet"),
        ("densenet", "densely connected blocks", "app.models.backbones:densenet"),
        ("convnext", "depthwise 7×7 blocks; spatial samples", "app.models.backbones:convnext"),
        ("unet", "encoder and decoder; needs --upsampling=pin", "app.models.backbones:unet"),
        ("swin2sr", "attention in windows; spatial samples", "app.models.backbones:swin2sr"),
        (
            "conv_baseline",
            "plain convolutions of one width; spatial samples",
            "app.models.backbones:conv_baseline",
        ),
        (
            "deepesd",
            "convolutions on the coarse grid, dense to every fine cell; spatial samples",
            "app.models.backbones:deepesd",
        ),
    ),
    "upsampling": (
        ("spc", "sub-pixel convolution after the backbone"),
        ("rc", "resize and convolution after the backbone"),
        ("dc", "transposed convolution after the backbone"),
        ("pin", "interpolation before the backbone"),
    ),
    "first_guess": (
        ("none", "the network predicts the whole field"),
        ("bilinear", "the network corrects the bilinear interpolation"),
        ("bicubic", "the network corrects the bicubic interpolation"),
        ("linear", "the network corrects a ridge regression per fine cell"),
        (
            "regression",
            "the network corrects the best of interpolation and regressions, by cross-validation",
        ),
    ),
    "constraint": (
        ("none", "block means of the output are free"),
        ("additive", "the missing difference is added to every cell of a block"),
        ("multiplicative", "every cell of a block is multiplied by the missing factor"),
        ("softmax", "the coarse value is shared out by the exponentials of the network's output"),
    ),
    "time_features": (
        ("hour", "sine and cosine of the hour of the day"),
        ("day_of_year", "sine and cosine of the day of the year"),
        ("season", "one of DJF, MAM, JJA and SON, by calendar month"),
    ),
    "normalization": (
        ("bn", "batch normalisation"),
        ("ln", "layer normalisation"),
    ),
    "dropout_variant": (
        ("vanilla", "single values"),
        ("gaussian", "multiplicative Gaussian noise"),
        ("spatial", "whole channels"),
        ("mcdrop", "vanilla, on at inference too"),
        ("mcgaussiandrop", "gaussian, on at inference too"),
        ("mcspatialdrop", "spatial, on at inference too"),
    ),
    "activation": (
        ("elu", "exponential linear unit"),
        ("relu", "rectified linear unit"),
        ("gelu", "Gaussian error linear unit"),
        ("crelu", "concatenated relu: doubles the channels"),
        ("leaky_relu", "relu with a small negative slope"),
        ("selu", "scaled exponential linear unit"),
        ("softplus", "log(1 + exp x); as output activation it keeps fields above valid_min"),
    ),
    "interpolation": (
        ("inter_area", "area mean; nearest when enlarging"),
        ("nearest", "nearest cell"),
        ("bicubic", "Keys' cubic convolution, a = -0.5"),
        ("bilinear", "bilinear between cell centres"),
        ("lanczos", "Lanczos, three lobes"),
    ),
    "loss": (
        # A name without a path mixes the parts between its underscores.
        ("mae", "mean absolute error", "app.losses.pixel:mae"),
        ("mse", "mean squared error", "app.losses.pixel:mse"),
        ("huber", "squared errors, absolute beyond --huber_delta", "app.losses.pixel:huber"),
        ("charbonnier", "smooth absolute error", "app.losses.pixel:charbonnier"),
        ("quantile", "pinball loss of --quantiles", "app.losses.pixel:pinball"),
        (
            "mae_smoothed",
            "absolute error, that of 5×5 means and that of a Gaussian blur",
            "app.losses.smoothed:mae_smoothed",
        ),
        ("dssim", "structural dissimilarity", "app.losses.structural:dssim"),
        ("dssim_mae", "0.8 dssim + 0.2 mae"),
        ("dssim_mse", "0.8 dssim + 0.2 mse"),
        ("dssim_mae_mse", "0.6 dssim + 0.2 mae + 0.2 mse"),
        (
            "msdssim",
            "multi-scale structural dissimilarity",
            "app.losses.structural:msdssim",
        ),
        ("msdssim_mae", "0.8 msdssim + 0.2 mae"),
        ("msdssim_mse", "0.8 msdssim + 0.2 mse"),
        ("msdssim_mae_mse", "0.6 msdssim + 0.2 mae + 0.2 mse"),
        (
            "bernoulli_gamma",
            "likelihood of amounts that are zero or gamma distributed",
            "app.losses.bernoulli_gamma:bernoulli_gamma",
        ),
    ),
    "baseline": (
        ("nearest", "nearest low-resolution cell", "app.baselines.interpolation:nearest"),
        (
            "bilinear",
            "bilinear from the low-resolution grid",
            "app.baselines.interpolation:bilinear",
        ),
        (
            "bicubic",
            "bicubic from the low-resolution grid",
            "app.baselines.interpolation:bicubic",
        ),
        (
            "bicubic_orography",
            "bicubic plus a curve of the height that the coarse grid hides; interval variables",
            "app.baselines.orography:OrographyCorrected",
        ),
        ("climatology", "mean of the training period", "app.baselines.climatology:Climatology"),
        (
            "bias_corrected",
            "bilinear less its mean error in the training period",
            "app.baselines.bias:BiasCorrected",
        ),
        (
            "quantile_mapping",
            "bilinear, its values mapped to those of the truth by rank; ratio variables",
            "app.baselines.quantile_mapping:QuantileMapping",
        ),
        (
            "bcsd",
            "bias correction and spatial disaggregation; ratio variables",
            "app.baselines.quantile_mapping:Bcsd",
        ),
        ("linear", "ridge regression per fine cell", "app.baselines.ridge:Linear"),
    ),
    "metric": (  # in the order of their rows
        (
            "errors",
            "mae, rmse, bias, nrmse and relative bias",
            "app.metrics.deterministic.errors:Errors",
        ),
        (
            "ensemble",
            "CRPS, spread/skill, rank histogram",
            "app.metrics.probabilistic.ensemble:Ensemble",
        ),
        (
            "pooled",
            "absolute error or CRPS of 2×2 means",
            "app.metrics.deterministic.pooled:Pooled",
        ),
        (
            "quantiles",
            "pinball loss and coverage of quantiles",
            "app.metrics.probabilistic.quantile_scores:Quantiles",
        ),
        (
            "correlation",
            "Pearson and Spearman, over space and time",
            "app.metrics.deterministic.correlation:Correlation",
        ),
        ("psnr", "peak signal-to-noise ratio", "app.metrics.deterministic.psnr:Psnr"),
        ("ssim", "structural similarity", "app.metrics.deterministic.ssim:Ssim"),
        (
            "spectrum",
            "variance by wavelength against the truth's",
            "app.metrics.spatial.spectra:Spectrum",
        ),
        ("wet", "frequency and intensity of wet cells", "app.metrics.climatic.wet:Wet"),
        (
            "wet_probability",
            "Brier score and reliability of wet members",
            "app.metrics.climatic.wet:WetProbability",
        ),
        (
            "variability",
            "standard deviation over time, differences of neighbours",
            "app.metrics.climatic.variability:Variability",
        ),
        (
            "extremes",
            "99th percentile over time, and how often it is passed",
            "app.metrics.climatic.extremes:Extremes",
        ),
        (
            "persistence",
            "lag-1 autocorrelation of what is added to bicubic",
            "app.metrics.temporal.persistence:ResidualPersistence",
        ),
        ("skill", "1 - rmse / rmse of bicubic and linear", "app.metrics.deterministic.skill:Skill"),
        (
            "bins",
            "errors by the size of the true value",
            "app.metrics.deterministic.bins:ValueBins",
        ),
        # further scores, for --scores=all or by name
        (
            "probability",
            "Brier score and its parts, reliability, ROC area of events",
            "app.metrics.probabilistic.probability:Probability",
        ),
        (
            "weighted_crps",
            "CRPS of values beyond thresholds",
            "app.metrics.probabilistic.weighted_crps:WeightedCrps",
        ),
        (
            "multivariate",
            "energy and variogram score of whole fields",
            "app.metrics.probabilistic.multivariate:Multivariate",
        ),
        (
            "intervals",
            "coverage, width and score of central intervals of members",
            "app.metrics.probabilistic.intervals:Intervals",
        ),
        (
            "rank_seasons",
            "rank histograms by season, debiased error of the mean",
            "app.metrics.probabilistic.rank_seasons:RankSeasons",
        ),
        (
            "fss",
            "fractions skill score of events, by window",
            "app.metrics.spatial.fss:FractionsSkill",
        ),
        (
            "season_spectra",
            "spectra and their distance by season",
            "app.metrics.spatial.season_spectra:SeasonSpectra",
        ),
        (
            "dependence",
            "correlation length, extremes that neighbours share",
            "app.metrics.spatial.dependence:Dependence",
        ),
        (
            "objects",
            "number, size and SAL of objects of rain",
            "app.metrics.spatial.objects:Objects",
        ),
        (
            "autocorrelation",
            "correlation in time, some steps apart",
            "app.metrics.temporal.autocorrelation:Autocorrelation",
        ),
        (
            "time_spectrum",
            "variance in time by period",
            "app.metrics.temporal.time_spectrum:TimeSpectrum",
        ),
        ("spells", "spells of events and their transitions", "app.metrics.temporal.spells:Spells"),
        ("cycles", "course of the day and of the year", "app.metrics.temporal.cycles:Cycles"),
        (
            "efficiency",
            "R², Kling-Gupta, anomaly correlation, skill over climatology and persistence",
            "app.metrics.deterministic.efficiency:Efficiency",
        ),
        (
            "strata",
            "errors by season, hour, surface and height",
            "app.metrics.deterministic.strata:Strata",
        ),
        (
            "regions",
            "errors in the regions of --regions",
            "app.metrics.deterministic.strata:Regions",
        ),
        (
            "consistency",
            "coarse means, negative values, bounds",
            "app.metrics.deterministic.consistency:Consistency",
        ),
        (
            "distribution",
            "quantiles, Q-Q and Wasserstein distances",
            "app.metrics.climatic.distribution:ValueDistribution",
        ),
        (
            "climate_indices",
            "yearly extremes, spells, hot, frost and wet days",
            "app.metrics.climatic.climate_indices:ClimateIndices",
        ),
        (
            "return_values",
            "values of 10 to 50 years",
            "app.metrics.climatic.return_values:ReturnValues",
        ),
        ("years", "interannual variability and trend", "app.metrics.climatic.years:YearToYear"),
        (
            "together",
            "correlation of predictands over time",
            "app.metrics.climatic.together:Together",
        ),
        ("change", "change signal of --change_periods", "app.metrics.climatic.change:Change"),
        (
            "cordex_ml_bench",
            "indices and diagnostics of that benchmark (--protocol)",
            "app.metrics.protocols.cordex_ml_bench:CordexMlBench",
        ),
        (
            "dl4ds",
            "the table of the original program (--protocol)",
            "app.metrics.protocols.dl4ds:Dl4ds",
        ),
    ),
    "source": (
        ("synthetic", "weather over fractal terrain", "app.synthetic:weather"),
        ("synthetic_advection", "patterns in a rotating flow", "app.synthetic:moving_patterns"),
    ),
    "time_metric": (  # of frames filled in between known ones, in the order of their rows
        (
            "restoration",
            "share of the error of linear interpolation that is restored",
            "app.metrics.temporal.restoration:Restoration",
        ),
        (
            "series",
            "flicker, autocorrelation and power in time",
            "app.metrics.temporal.series:Series",
        ),
        ("variability",),
        ("wet",),
        ("extremes",),
        # further scores, for --scores=all or by name
        ("fss",),
        ("dependence",),
        (
            "efficiency",
            "R², Kling-Gupta, anomaly correlation, skill over climatology",
            "app.metrics.deterministic.efficiency:Efficiency",
        ),
        ("distribution",),
    ),
    "formulation": (
        ("edm", "preconditioned denoiser, log-normal noise levels"),
        ("epsilon", "DDPM: the network predicts the noise"),
        ("x0", "DDPM: the network predicts the field"),
        ("v", "DDPM: the network predicts the velocity"),
    ),
    "noise_schedule": (
        ("linear", "variances of the noise rise linearly"),
        ("cosine", "the signal falls as a squared cosine"),
    ),
    "noise_embedding": (
        ("positional", "sines and cosines in geometric progression"),
        ("fourier", "sines and cosines of random frequencies"),
    ),
    "sampler": (
        ("heun", "EDM's second-order steps; two evaluations each"),
        ("dpmpp_2m", "DPM-Solver++(2M); one evaluation a step"),
        ("ddim", "deterministic, or with --ddim_eta partly ancestral"),
        ("ddpm", "ancestral; needs many steps"),
    ),
    "precision": (
        ("float32", "single precision"),
        ("bfloat16", "mixed; float32 weights"),
        ("float16", "mixed; float32 weights, scaled loss"),
    ),
}

REGISTRY = _builtin()
