"""How a trained model is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from app.data.description import Source
from app.options.bounds import BELOW_ONE, COUNT, SHARE, WITHIN_ONE, Bounds
from app.options.data import CoverageOptions, ModuleOptions
from app.options.option import Options, option, registered
from app.options.readers import files, or_empty, pairs, path, prediction_name
from app.options.rules import Rule, rising
from app.options.sampling import StepOptions


@dataclass(frozen=True)
class PredictionOptions(Options):
    """What is predicted, by which model and to which file."""

    model: str | None = option(
        None, "Run folder or .keras file to test, other than --save_path.", common=True
    )
    ensemble: tuple[str, ...] = option(
        None, "Run folders, with commas, whose models form an ensemble.", read=files
    )
    members: int = option(
        1,
        "Members drawn of each model (diffusion, Monte Carlo dropout, Bernoulli-gamma).",
        bounds=Bounds(1, 100_000),
        common=True,
    )
    write_members: bool = option(True, "Write the members beside their mean and spread.")
    write_quantiles: tuple[float, ...] = option(
        None,
        "Quantiles of the members to write, or with one member those of the distribution "
        "that --loss=bernoulli_gamma predicts, in place of its mean.",
        bounds=WITHIN_ONE,
        read=or_empty,
        kind="floats",
    )
    sampler: str = registered("heun", "How a diffusion model draws members.")
    sampling_steps: int = option(
        18, "Number of denoising steps when sampling.", bounds=Bounds(1, 100_000)
    )
    ddim_eta: float = option(0.0, "Share of fresh noise in the sampler ddim.", bounds=SHARE)
    noise_lag1_correlation: float = option(
        0.0,
        "Correlation of its noise from one time step to the next.",
        bounds=BELOW_ONE,
        aliases=("noise_correlation",),
    )
    tile_size: int | None = option(
        None, "Predict in tiles of this many fine cells a side.", bounds=Bounds(1, COUNT)
    )
    tile_overlap: int = option(
        32, "Fine cells by which a tile reaches into its neighbours.", bounds=Bounds(0, COUNT)
    )
    input: tuple[str, ...] = option(
        None,
        "Low-resolution files to downscale, without truth.",
        read=files,
        common=True,
        several=True,
    )
    input_variables: Mapping[str, str] = option(
        None,
        "Names in --input of the model's inputs, MODEL:FILE with commas (t2m:tas,pr:rr), "
        "where they are others than in training.",
        read=pairs,
    )
    input_grid: str = option(
        "trained",
        "Predict --input on the trained grid, or on the files' own, each cell cut by scale.",
        choices=("trained", "own"),
    )
    input_correction: str = option(
        "none",
        "Bring --input to the training climate, cell by cell: by quantiles, or so that "
        "the change of each quantile is kept.",
        choices=("none", "quantile_mapping", "trend_preserving"),
    )
    input_reference: tuple[str, ...] = option(
        None, "Past of the source of --input, to correct it by.", read=files, several=True
    )
    temporal_model: str | None = option(
        None, "Run folder or .keras file of a model in time that follows --model: space, then time."
    )
    inference_save_fname: str | None = option(
        None,
        "Name of the prediction's file in the run folder, other than y_hat.nc.",
        read=prediction_name,
    )
    output: str | None = option(
        None,
        "File of the prediction elsewhere, in a folder that is there; one that is there "
        "already is replaced with --overwrite alone.",
    )


@dataclass(frozen=True)
class InferenceConfig(PredictionOptions, CoverageOptions, ModuleOptions, StepOptions):
    """What is predicted, by which model and to which file.

    statics: fields of the region of --input, where that has a grid of its own.
    """

    statics: tuple[Source, ...] = ()

    rules: ClassVar[tuple[Rule[InferenceConfig], ...]] = (
        Rule(
            lambda i: not rising(i.write_quantiles),
            "--write_quantiles={write_quantiles}: expected rising levels",
        ),
        Rule(
            lambda i: (i.input_correction != "none" or i.input_reference) and not i.input,
            "--input_correction={input_correction}: expected --input, the files that are to be "
            "corrected",
        ),
        Rule(
            lambda i: i.input_correction != "none" and i.input_grid == "own",
            "--input_correction={input_correction} with --input_grid=own: the training climate is "
            "known on the trained grid alone; leave one of them out",
        ),
        Rule(
            lambda i: i.input_reference and i.input_correction == "none",
            "--input_reference without --input_correction: nothing is to be corrected; expected "
            "quantile_mapping or trend_preserving",
        ),
        Rule(
            lambda i: i.tile_size is not None and i.tile_size <= 2 * i.tile_overlap,
            "--tile_size={tile_size} with --tile_overlap={tile_overlap}: expected tiles larger "
            "than twice their overlap",
        ),
        Rule(
            lambda i: i.input_grid == "own" and not i.input,
            "--input_grid=own without --input: expected files that have a grid",
        ),
        Rule(
            lambda i: i.temporal_model and (i.members > 1 or i.ensemble),
            "--temporal_model with --members or --ensemble: a model in time follows one field; "
            "leave one of them out",
        ),
        Rule(
            lambda i: i.output is not None and i.inference_save_fname is not None,
            "--output and --inference_save_fname: expected one of them",
        ),
        Rule(
            lambda i: i.output is not None and not path(i.output).name.endswith(".nc"),
            "--output={output}: expected a file whose name ends in .nc",
        ),
        Rule(lambda i: i.model and i.ensemble, "--model and --ensemble: expected one of them"),
    )
