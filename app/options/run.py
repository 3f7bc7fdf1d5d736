"""What a run does, where, and what it keeps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.options.bounds import Bounds
from app.options.option import Options, option
from app.options.readers import folder


@dataclass(frozen=True)
class StageOptions(Options):
    """The stages that run where none is named."""

    train: bool = option(True, "Run the stage train, where no stage is named.")
    test: bool = option(True, "Run the stage test, where no stage is named.")
    metrics: bool = option(True, "Run the stage metrics, where no stage is named.")


@dataclass(frozen=True)
class FolderOptions(Options):
    """The run folder, and what may be done to it."""

    save_path: Path = option(
        "./dl4ds_results/", "Run folder: all that the run writes.", read=folder, common=True
    )
    overwrite: bool = option(
        False,
        "Start anew in a run folder made with other flags: the run's own files are "
        "removed, others stay.",
        common=True,
    )
    accept_changed_data: bool = option(
        False, "Go on in a run folder with data that are not those it was trained on."
    )


@dataclass(frozen=True)
class KeepingOptions(Options):
    """What is kept of a training, and the seed of all that is random."""

    save: bool = option(True, "Keep the trained model in the run folder.")
    save_bestmodel: bool = option(True, "Keep the model of the lowest validation loss.")
    seed: int = option(
        0,
        "Seed of weights, shuffling, patches and dropout.",
        bounds=Bounds(0, 2**32 - 1),
        common=True,
    )


@dataclass(frozen=True)
class RecipeOptions(Options):
    """Where the values of flags come from that nobody gives."""

    recipe: str = option(
        "auto",
        "Flags that are not given: auto, as suits the data of --data or --data_config; ensemble, "
        "the same for members drawn by diffusion; dl4ds, the defaults of this list, which data of "
        "--data_module have in any case.",
        choices=("auto", "ensemble", "dl4ds"),
        free=True,
        common=True,
    )


@dataclass(frozen=True)
class ReportingOptions(Options):
    """How much a run does, and what it says."""

    debug: bool = option(
        False, "Two epochs of six steps, six steps of test, two members.", common=True
    )
    all_scores: bool = option(
        False, "Print all scores below the verdict; the files have them always.", free=True
    )
    figure_format: str = option(
        "png",
        "Format of the figures: pdf and svg are drawn as lines, for print.",
        choices=("png", "pdf", "svg"),
        free=True,
    )
    runs: str | None = option(
        None,
        "Stage report: run folders, with commas, to show beside each other in --save_path.",
        free=True,
        several=True,
    )
    license: str | None = option(
        None, "Licence of the trained model that its card names, such as cc-by-4.0.", free=True
    )
    debug_traceback: bool = option(False, "Show Python's traceback of an error.", free=True)
    plugins: str | None = option(
        None,
        "Python files, with commas, that register further backbones, losses, metrics, baselines, "
        "sources or trainers; they are code that runs with your rights, also where a flagfile "
        "names them.",
    )
    verbose: bool = option(True, "Log what the run does.", free=True)
