"""Every flag, once, by section, and the reader of flagfiles."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from absl import flags as absl_flags

from app.data.description import GAP_POLICIES, TRANSFORMS
from app.errors import InputError
from app.registry import REGISTRY, unknown

HELP_WIDTH = 100
EXPECTED = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "floats": "numbers with commas between",
    "ints": "whole numbers with commas between",
}
NO_NAMES = "none"
LISTS: dict[str, Callable[[str], Any]] = {"floats": float, "ints": int}
QUOTES = ('"""', "'''")


@dataclass(frozen=True)
class Flag:
    """One flag: `kind` is bool, int, float, floats, ints, text, or with `choices` enum or names.

    The value of names is a tuple of choices in their order, () for "none".
    """

    name: str
    kind: str
    default: Any
    help: str
    choices: tuple[str, ...] = ()


def _enum(name: str, default: str | None, help: str, kind: str | None = None) -> Flag:
    return Flag(name, "enum", default, help, REGISTRY.names(kind or name))


SECTIONS: dict[str, tuple[Flag, ...]] = {
    "EXPERIMENT": (
        Flag("train", "bool", True, "Run the stage train, where no stage is named."),
        Flag("test", "bool", True, "Run the stage test, where no stage is named."),
        Flag("metrics", "bool", True, "Run the stage metrics, where no stage is named."),
        Flag("save_path", "text", "./dl4ds_results/", "Run folder: all that the run writes."),
        Flag("overwrite", "bool", False, "Start anew in a run folder made with other flags."),
        Flag("save", "bool", True, "Keep the trained model in the run folder."),
        Flag("save_bestmodel", "bool", True, "Keep the model of the lowest validation loss."),
        Flag("seed", "int", 0, "Seed of weights, shuffling, patches and dropout."),
        Flag(
            "debug",
            "bool",
            False,
            "Two epochs of six steps, six steps of test, two members.",
        ),
        Flag("debug_traceback", "bool", False, "Show Python's traceback of an error."),
        Flag("verbose", "bool", True, "Log what the run does."),
    ),
    "DATA": (
        Flag("data_config", "text", None, "YAML data description."),
        Flag("data", "text", None, "NetCDF or Zarr files of the predictand, without any YAML."),
        Flag("variable", "text", None, "Variable of --data to downscale; several with commas."),
        Flag("static", "text", None, "Static fields FILE:VARIABLE, several with commas."),
        Flag(
            "transform",
            "enum",
            None,
            "What is done to the predictands before they are scaled, other than the data "
            "description's.",
            TRANSFORMS,
        ),
        Flag(
            "transform_scale",
            "float",
            None,
            "x0 of log1p(x / x0) and sqrt(x / x0), in the predictand's unit.",
        ),
        Flag("data_module", "text", None, "Python file that holds the arrays."),
        Flag("data_root", "text", None, "Folder that ${DATA_ROOT} stands for in a YAML."),
        Flag("cache_dir", "text", "./finescale_cache", "Folder of the prepared shards."),
        Flag("stage_to", "text", None, "Copy the shards to this node-local folder first."),
        Flag("verify", "bool", False, "Stage check: also compare the shards' checksums."),
    ),
    "DOWNSCALING": (
        _enum("trainer", "SupervisedTrainer", "Training method."),
        Flag(
            "paired_samples",
            "enum",
            "implicit",
            "implicit (PerfectProg): the low resolution is the coarsened predictand, in the "
            "literature perfect-model super-resolution; explicit (MOS): a second source is the "
            "low resolution, where it is a reanalysis also called perfect prognosis.",
            ("implicit", "explicit"),
        ),
        Flag(
            "test_pairs",
            "enum",
            None,
            "Pairs of the stages test and metrics, if not those of the training: explicit applies "
            "a PerfectProg model to the driver.",
            ("implicit", "explicit"),
        ),
        Flag(
            "scale",
            "int",
            2,
            "Fine cells along one side of a coarse cell; TemDeepTrainer takes the default as 1.",
        ),
        Flag("halo", "int", 0, "Coarse cells of context beyond the target's edge."),
        Flag("patch_size", "int", None, "Train on patches of this many fine cells a side."),
        Flag(
            "patch_stride",
            "int",
            None,
            "Fine cells between the patches there are; default: they begin at any coarse cell.",
        ),
        Flag("min_land_fraction", "float", 0.0, "Least share of land in a patch."),
        Flag("land_static", "text", "lsm", "Static field that tells the share of land."),
        Flag(
            "time_window",
            "int",
            None,
            "Consecutive frames of a sample, all of which are predicted (spatio-temporal samples).",
        ),
        _enum("interpolation", "inter_area", "Interpolation before the network (pin)."),
        Flag("input_step", "text", None, "Time between known frames, such as 3h (TemDeepTrainer)."),
        Flag("target_step", "text", None, "Wanted time step, such as 1h (TemDeepTrainer)."),
        Flag(
            "gap_policy",
            "enum",
            "refuse",
            "Irregular time steps: refuse them, skip (leave gaps), or bridge (interpolate over).",
            GAP_POLICIES,
        ),
    ),
    "MODEL": (
        _enum("backbone", "resnet", "Backbone of the network."),
        _enum("upsampling", "spc", "How and where the grid is refined."),
        _enum("decoder_upsampling", "rc", "Upsampling in the decoder of unet.", "upsampling"),
        _enum("first_guess", "none", "Field that the network corrects."),
        Flag(
            "first_guess_radius",
            "int",
            1,
            "Coarse cells around its own that the linear first guess sees; one less of predictors.",
        ),
        _enum(
            "constraint", "none", "How block means of the output are brought to the coarse field."
        ),
        Flag(
            "time_features",
            "names",
            (),
            "What the network and a linear first guess know of the time; several with commas.",
            REGISTRY.names("time_features"),
        ),
        Flag(
            "coordinate_channels",
            "bool",
            False,
            "Latitude and longitude of the cells as static fields.",
        ),
        Flag("n_filters", "int", 8, "Filters of the first block."),
        Flag("n_blocks", "int", 6, "Blocks of the backbone."),
        Flag(
            "bidirectional",
            "bool",
            True,
            "With --time_window: recurrent layers run both ways, so that frames see later ones.",
        ),
        _enum("normalization", None, "Normalisation within blocks."),
        _enum("activation", "relu", "Activation within blocks."),
        _enum("output_activation", None, "Activation of the last layer.", "activation"),
        Flag("attention", "bool", False, "Channel attention at the end of each block."),
        Flag(
            "localcon_layer",
            "bool",
            False,
            "Localized convolutional block; ties the net to its grid.",
        ),
        _enum("dropout_variant", "vanilla", "What dropout drops."),
        Flag("dropout_rate", "float", 0.2, "Share dropped; 0 for none."),
        _enum(
            "rc_interpolation", "bilinear", "Interpolation of resize convolution.", "interpolation"
        ),
        Flag(
            "sr_factors",
            "text",
            None,
            "Factors of the stages, coarse to fine, with commas; default: prime factors of --scale "
            "(DeepSDTrainer).",
        ),
        Flag(
            "sr_network",
            "enum",
            "srcnn",
            "Network of a stage: three convolutions, or that of the flags of MODEL.",
            ("srcnn", "backbone"),
        ),
        _enum(
            "sr_interpolation",
            "bilinear",
            "Interpolation before a stage's network.",
            "interpolation",
        ),
        Flag("srcnn_filters", "text", "64,32", "Filters of an SRCNN's layers but the last."),
        Flag("srcnn_kernels", "text", "9,1,5", "Kernel sizes of an SRCNN's layers."),
        Flag(
            "srcnn_rates",
            "floats",
            (1.0, 1.0, 0.1),
            "Multiples of --learning_rate for an SRCNN's layers.",
        ),
        Flag("srcnn_residual", "bool", False, "An SRCNN corrects the interpolated predictand."),
        Flag("n_disc_filters", "int", 32, "Filters of the discriminator (CGANTrainer)."),
        Flag(
            "n_disc_blocks", "int", 4, "Blocks in each branch of the discriminator (CGANTrainer)."
        ),
        Flag("disc_dropout_rate", "float", 0.4, "Share dropped in the discriminator; 0 for none."),
        Flag("flow", "bool", True, "Flow module beside the encoder-decoder (TemDeepTrainer)."),
        Flag(
            "flow_filters",
            "ints",
            (16, 24, 32),
            "Width of each level of the flow module, finest first (TemDeepTrainer).",
        ),
        Flag(
            "context_frames",
            "int",
            0,
            "Known frames seen beyond each end of an interval, 0 or 1: with 1 the cubic instead of "
            "the linear interpolation in time is corrected (TemDeepTrainer).",
        ),
    ),
    "DIFFUSION": (
        _enum("formulation", "edm", "What the denoising network is asked for, and its levels."),
        _enum("noise_schedule", "linear", "Levels of DDPM, 1000 of them."),
        Flag("noise_log_mean", "float", -0.5, "Mean of log noise level in training (edm)."),
        Flag("noise_log_std", "float", 1.2, "Its standard deviation (edm)."),
        Flag("sigma_min", "float", 0.004, "Lowest noise level in sampling (edm)."),
        Flag("sigma_max", "float", 80.0, "Highest noise level in sampling (edm)."),
        Flag("min_snr", "float", 0.0, "Bound on the weight of low noise levels; 0: none."),
        Flag(
            "learn_residuals",
            "bool",
            True,
            "Draw what --first_guess leaves; else the first guess only conditions.",
        ),
        Flag(
            "regression_folds",
            "int",
            0,
            "Training residuals come from linear first guesses that have not seen the sample's "
            "fold, of this many; 0: from the first guess itself.",
        ),
        Flag("regression_from", "text", None, "Trained run that gives the first guess instead."),
        Flag(
            "fold_regressions",
            "text",
            None,
            "Runs like it, with commas, the k-th of K trained with --left_out_fold=k/K: training "
            "residuals come from the one that has not seen the sample.",
        ),
        Flag(
            "instance_norm",
            "bool",
            False,
            "Scale targets by mean and standard deviation of each sample's first guess.",
        ),
        Flag(
            "target_scaling",
            "enum",
            "domain",
            "Standardise the targets over the domain, or in each grid point.",
            ("domain", "pixel"),
        ),
        Flag(
            "time_encoding",
            "enum",
            "cyclical",
            "Time features as sines and cosines, or as embedded classes (hours, twelfths).",
            ("cyclical", "classes"),
        ),
        Flag("n_channels", "int", 16, "Channels that --channel_multipliers multiply."),
        Flag(
            "channel_multipliers", "text", "1,2,2,4", "Width of each level of the denoising U-Net."
        ),
        Flag("is_attention", "text", "F,F,T,T", "Which of these levels have self-attention."),
        Flag("unet_blocks", "int", 2, "Residual blocks on each level."),
        _enum("noise_embedding", "positional", "How the network is told the noise level."),
    ),
    "TRAINING": (
        _enum("loss", "mae", "Loss, over valid cells of the scaled fields."),
        Flag("huber_delta", "float", 1.0, "Encoded error beyond which the loss huber is linear."),
        Flag(
            "dense_alpha",
            "float",
            0.0,
            "How much more rare target values weigh in mse, mae and huber (DenseLoss); 0: not.",
        ),
        Flag("dense_epsilon", "float", 1e-6, "Least weight of a target, before its mean is 1."),
        Flag(
            "dense_on",
            "enum",
            "all",
            "Rare among all values, among wet ones, or among the logarithms of wet ones; with the "
            "last two dry values weigh 1.",
            ("all", "wet", "log"),
        ),
        Flag(
            "quantiles",
            "floats",
            (0.1, 0.5, 0.9),
            "Levels that the loss quantile predicts of every predictand (SupervisedTrainer).",
        ),
        Flag(
            "input_noise",
            "float",
            0.0,
            "Standard deviation of Gaussian noise on the scaled coarse inputs, in training only.",
        ),
        Flag("epochs", "int", 100, "Passes over the training period."),
        Flag(
            "trained_epochs",
            "int",
            0,
            "Epochs trained before, counted off --epochs; the learning rate goes on from there.",
        ),
        Flag(
            "sr_stage",
            "text",
            None,
            "Train this stage alone, counted from 1, or join those that are trained; default: all "
            "stages, then join (DeepSDTrainer).",
        ),
        Flag("finetune_joint", "int", 0, "Epochs of the joined stages end to end (DeepSDTrainer)."),
        Flag(
            "finetune_rate",
            "float",
            None,
            "Learning rate of --finetune_joint; default: a tenth of --learning_rate.",
        ),
        Flag("init_from", "text", None, "Run folder or .keras file whose weights to start from."),
        Flag(
            "init_parts",
            "enum",
            "all",
            "What --init_from gives: all weights, or those before the upsampling and the head.",
            ("all", "backbone"),
        ),
        Flag("freeze", "enum", "none", "Layers that keep their weights.", ("none", "backbone")),
        Flag("batch_size", "int", 32, "Samples a step on each rank."),
        Flag(
            "learning_rate", "floats", (1e-3,), "One rate, or two: the second after lr_decay_after."
        ),
        Flag(
            "disc_learning_rate",
            "floats",
            None,
            "Rate or rates of the discriminator (CGANTrainer), if not those of learning_rate.",
        ),
        Flag(
            "pixel_loss_weight",
            "float",
            100.0,
            "Weight of the loss beside the adversarial one of weight 1 (CGANTrainer).",
        ),
        Flag("lr_decay_after", "float", 1e5, "Steps after which the second rate applies."),
        Flag(
            "lr_schedule",
            "enum",
            "piecewise",
            "piecewise, or cosine down to zero.",
            ("piecewise", "cosine"),
        ),
        Flag("lr_scaling", "bool", True, "Multiply the learning rate by the number of ranks."),
        Flag(
            "warmup_steps",
            "int",
            -1,
            "Steps of linear warm-up; -1: one epoch if the rate is multiplied.",
        ),
        Flag("weight_decay", "float", 0.0, "Decoupled weight decay (AdamW)."),
        Flag(
            "ema",
            "float",
            0.0,
            "Decay of the averaged weights that are validated and saved; 0: none.",
        ),
        Flag(
            "left_out_fold",
            "text",
            None,
            "k/K: train without the k-th of K contiguous parts of the training period.",
        ),
        Flag("gradient_clip", "float", 0.0, "Largest norm of the gradient; 0: any."),
        Flag("early_stopping", "bool", False, "Stop when the validation loss no longer falls."),
        Flag("patience", "int", 6, "Epochs without improvement before stopping."),
        Flag("min_delta", "float", 0.0, "What counts as an improvement of the validation loss."),
        Flag(
            "checkpoints_frequency", "int", 2, "Epochs between checkpoints; 0: none but the last."
        ),
        Flag(
            "checkpoint_every",
            "text",
            "10min",
            "Steps or time (500, 90s, 10min, 1h) between checkpoints, besides those; 0: none.",
        ),
        Flag("tensorboard", "bool", True, "Write TensorBoard summaries."),
        Flag(
            "pretrain_epochs",
            "int",
            60,
            "Epochs on triples of known frames; with TemDeepTrainer, --epochs is their sum with "
            "--coherence_epochs.",
        ),
        Flag(
            "coherence_epochs",
            "int",
            20,
            "Further epochs that also ask for coherence in time (TemDeepTrainer).",
        ),
        Flag(
            "pretrain_span",
            "int",
            2,
            "Longest interval between the outer frames of a triple, in input steps, 2 to 4.",
        ),
        Flag("coherence_weight", "float", 1.0, "Weight of coherence beside the triples' loss."),
        Flag(
            "smooth_space",
            "float",
            0.01,
            "Weight of the total variation of the flow, or without it of the correction.",
        ),
        Flag("smooth_time", "float", 0.01, "Weight of the second difference in time."),
        Flag(
            "composite_subset",
            "enum",
            "index",
            "Triples to train on: of the most rapid changes, as many at random, or all.",
            ("index", "random", "all"),
        ),
        Flag("composite_quantile", "float", 0.3, "Share of slowest triples that index leaves out."),
    ),
    "INFERENCE": (
        Flag("model", "text", None, "Run folder or .keras file to test, other than --save_path."),
        Flag("ensemble", "text", None, "Run folders, with commas, whose models form an ensemble."),
        Flag(
            "members",
            "int",
            1,
            "Members drawn of each model (diffusion, Monte Carlo dropout, Bernoulli-gamma).",
        ),
        Flag(
            "predict_quantiles",
            "floats",
            None,
            "Levels to write of a model trained with --loss=bernoulli_gamma, for its mean.",
        ),
        Flag("write_members", "bool", True, "Write the members beside their mean and spread."),
        Flag("write_quantiles", "floats", None, "Quantiles of the members to write, 0 to 1."),
        _enum("sampler", "heun", "How a diffusion model draws members."),
        Flag("sampling_steps", "int", 18, "Noise levels it passes."),
        Flag("ddim_eta", "float", 0.0, "Share of fresh noise in the sampler ddim."),
        Flag(
            "noise_correlation",
            "float",
            0.0,
            "Correlation of its noise from one time step to the next.",
        ),
        Flag("tile_size", "int", None, "Predict in tiles of this many fine cells a side."),
        Flag("tile_overlap", "int", 32, "Fine cells by which a tile reaches into its neighbours."),
        Flag("input", "text", None, "Low-resolution files to downscale, without truth."),
        Flag(
            "input_grid",
            "enum",
            "trained",
            "Predict --input on the trained grid, or on the files' own, each cell cut by scale.",
            ("trained", "own"),
        ),
        Flag(
            "input_correction",
            "enum",
            "none",
            "Bring --input to the training climate, cell by cell: by quantiles, or so that the "
            "change of each quantile is kept.",
            ("none", "quantile_mapping", "trend_preserving"),
        ),
        Flag("input_reference", "text", None, "Past of the source of --input, to correct it by."),
        Flag(
            "temporal_model",
            "text",
            None,
            "Run folder or .keras file of a model in time that follows --model: space, then time.",
        ),
        Flag("inference_save_fname", "text", None, "File of the prediction, other than y_hat.nc."),
        Flag(
            "inference_array_in_hr",
            "bool",
            False,
            "The data module's inference_data is on the fine grid.",
        ),
    ),
    "MACHINE": (
        Flag("device", "enum", None, "Default: GPU where there is one.", ("GPU", "CPU")),
        _enum("precision", "float32", "Precision of the network."),
        Flag(
            "time_limit",
            "text",
            None,
            "Time allowed (90min, 3h, 02:00:00): stop before with a checkpoint; default: Slurm's.",
        ),
        Flag("threads", "int", None, "Threads of a rank; default: its share of the allocation."),
        Flag("gpu_memory_growth", "bool", True, "Take GPU memory as it is needed."),
        Flag("network_interface", "text", None, "Interface between ranks, where several lead out."),
        Flag("launch_timeout", "int", 300, "Seconds in which all ranks must have started."),
        Flag(
            "rank_timeout",
            "int",
            600,
            "Seconds after which a rank that is silent, or that the others wait for, ends the job.",
        ),
        Flag(
            "use_multiprocessing",
            "bool",
            True,
            "Accepted for old flagfiles; batches come from a thread.",
        ),
        Flag("show_plot", "bool", False, "Accepted for old flagfiles; figures are written as PNG."),
    ),
    "SWEEP": (
        Flag(
            "sweep",
            "text",
            None,
            "Stage sweep: FLAG=VALUE,VALUE;FLAG=VALUE… (brackets around a value with commas), or a "
            "YAML file.",
        ),
        Flag("sweep_stages", "text", "train,test,metrics", "Stages that each member runs."),
        Flag("jobs", "int", 1, "Members that run at a time."),
        Flag("submit", "bool", False, "Submit the members as one Slurm array."),
        Flag("sbatch_options", "text", None, "Options of that array, as sbatch takes them."),
        Flag(
            "dry_run",
            "bool",
            False,
            "Show the members of a sweep, with --submit their script, and write and run nothing.",
        ),
        Flag("collect", "bool", False, "Only collect the scores of a sweep that has run."),
    ),
}

FLAGS_BY_NAME: dict[str, Flag] = {flag.name: flag for part in SECTIONS.values() for flag in part}

# Flags that may differ between two calls on one run folder: none changes what is learnt.
FREE_FLAGS = frozenset(
    {
        *("train", "test", "metrics", "epochs", "save_path", "overwrite", "verbose", "verify"),
        *("debug_traceback", "cache_dir", "stage_to", "data_root", "model", "input", "ensemble"),
        *("input_correction", "input_reference", "sr_stage", "finetune_joint"),
        *("test_pairs", "members", "write_members", "write_quantiles", "predict_quantiles"),
        *("tile_size", "tile_overlap", "input_grid"),
        *("sampler", "sampling_steps", "ddim_eta", "noise_correlation"),
        *("temporal_model", "coherence_epochs"),
        *("inference_save_fname", "tensorboard", "device", "threads", "gpu_memory_growth"),
        *("use_multiprocessing", "show_plot", "checkpoints_frequency", "checkpoint_every"),
        "time_limit",
        *(flag.name for flag in SECTIONS["SWEEP"]),
        *("network_interface", "launch_timeout", "rank_timeout"),
    }
)


def parse(argv: Sequence[str]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Stages and the values of all flags; the command line beats flagfiles in any order."""
    values = {name: flag.default for name, flag in FLAGS_BY_NAME.items()}
    words: list[str] = []
    options: list[str] = []
    for argument in _joined(argv):
        (options if argument.startswith("-") else words).append(argument)
    from_files = [a for a in options if a.startswith("--flagfile=")]
    for argument in from_files:
        _read_flagfile(values, argument.partition("=")[2], Path.cwd(), ())
    _assign(values, [a for a in options if a not in from_files], "command line")
    return tuple(words), values


def given_names(argv: Sequence[str]) -> frozenset[str]:
    """The flags named on a command line itself, flagfiles aside."""
    return frozenset(_name_of(argument) for argument in without(argv, ()))


def without(argv: Sequence[str], names: Collection[str]) -> tuple[str, ...]:
    """The flags of a command line other than those named; no stages."""
    return tuple(
        argument
        for argument in _joined(argv)
        if argument.startswith("-") and _name_of(argument) not in names
    )


def value_of(name: str, text: str, where: str = "command line") -> Any:
    """The value of a known flag from its text; InputError where it does not take it."""
    return _value(FLAGS_BY_NAME[name], text, where)


def _name_of(argument: str) -> str:
    """The flag that `--name=value`, `--name` or `--noname` speaks of."""
    name = argument.lstrip("-").partition("=")[0]
    negated = name.startswith("no") and name not in FLAGS_BY_NAME and name[2:] in FLAGS_BY_NAME
    return name[2:] if negated else name


def help_text(usage: str) -> str:
    """All flags by section, each with its choices and default."""
    lines = [usage.rstrip()]
    for section, members in SECTIONS.items():
        lines += ["", section]
        for flag in members:
            lines += _help_of(flag)
    return "\n".join(lines)


def as_flagfile(values: dict[str, Any]) -> str:
    """The values as a flagfile that gives the same values again; None is left out."""
    lines = []
    for section, members in SECTIONS.items():
        lines.append(f'""" {section} """')
        for flag in members:
            value = values[flag.name]
            if value is not None:
                lines.append(f"--{flag.name}={as_text(value)}")
    return "\n".join(lines) + "\n"


def as_text(value: Any) -> str:
    """A value as it stands in a flagfile."""
    if isinstance(value, bool):
        return str(value).lower()
    if value == ():
        return NO_NAMES
    if value is None:
        return "None"
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _help_of(flag: Flag) -> list[str]:
    default = "none" if flag.default is None else as_text(flag.default)
    choices = f" [{'|'.join(flag.choices)}]" if flag.choices else ""
    text = f"{flag.help}{choices} (default: {default})"
    return textwrap.wrap(
        text,
        HELP_WIDTH,
        initial_indent=f"  --{flag.name:<24}",
        subsequent_indent=" " * 28,
    )


def _joined(argv: Sequence[str]) -> Iterator[str]:
    """Arguments with `--name value` written as `--name=value`, `-name` as `--name`."""
    rest = iter(argv)
    for argument in rest:
        if not argument.startswith("-"):
            yield argument
            continue
        name, equals, _ = argument.lstrip("-").partition("=")
        takes_value = name == "flagfile" or (
            name in FLAGS_BY_NAME and FLAGS_BY_NAME[name].kind != "bool"
        )
        dashed = "--" + argument.lstrip("-")
        if equals or not takes_value:
            yield dashed
            continue
        value = next(rest, None)
        if value is None:
            raise InputError(f"command line: --{name} needs a value")
        yield f"{dashed}={value}"


def _read_flagfile(
    values: dict[str, Any], name: str, base: Path, parents: tuple[Path, ...]
) -> None:
    """Assign a flagfile's flags; a nested flagfile comes before the lines of its parent."""
    path = (base / Path(name).expanduser()).resolve()
    if path in parents:
        raise InputError(f"flagfile {path} includes itself")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--flagfile={name}: cannot read {path} ({error})") from error
    own: list[str] = []
    for number, line in _flag_lines(text, path):
        if not line.startswith("-"):
            raise InputError(f"{path}, line {number}: expected --flag=value, received {line!r}")
        argument = "--" + line.lstrip("-")
        if argument.startswith(("--flagfile=", "--flagfile ")):
            nested = argument[len("--flagfile") + 1 :].strip()
            _read_flagfile(values, nested, path.parent, (*parents, path))
        else:
            own.append(f"{argument}\n{number}")
    _assign(values, own, str(path))


def _flag_lines(text: str, path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are neither blank, comments, section banners nor within a quoted heading."""
    closing = ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip().lstrip("\ufeff")
        if closing:
            closing = "" if closing in line else closing
        elif line.startswith(QUOTES):
            quote = line[:3]
            closing = "" if quote in line[3:] else quote
        elif line and not line.startswith(("#", "//")):
            yield number, line
    if closing:
        raise InputError(f"{path}: a heading opened with {closing} is never closed")


def _assign(values: dict[str, Any], arguments: list[str], source: str) -> None:
    """Assign `--name=value` arguments of one source; lists start anew with each source."""
    begun: set[str] = set()
    for argument in arguments:
        argument, _, number = argument.partition("\n")
        where = f"{source}, line {number}" if number else source
        name, equals, text = argument[2:].partition("=")
        name = name.strip()
        if not equals and name.startswith("no") and name not in FLAGS_BY_NAME:
            name, equals, text = name[2:], "=", "false"
        flag = FLAGS_BY_NAME.get(name)
        if flag is None:
            raise InputError(f"{where}: {_unknown_flag(argument)}")
        if not equals and flag.kind != "bool":
            raise InputError(f"{where}: --{name} needs a value (--{name}=…)")
        value = _value(flag, text.strip() if equals else "true", where)
        if flag.kind in LISTS and name in begun:
            value = (*values[name], *value)
        values[name] = value
        begun.add(name)


def _unknown_flag(argument: str) -> str:
    name = argument[2:].partition("=")[0]
    return unknown("flag", name, tuple(FLAGS_BY_NAME)).partition("; known:")[0] + "; see --help"


def _value(flag: Flag, text: str, where: str) -> Any:
    """The text as the flag's value; "None" unsets a flag that has no default."""
    if text in ("None", "") and flag.default is None:
        return None
    if flag.kind == "text":
        return text
    try:
        if flag.kind in LISTS:
            number = LISTS[flag.kind]
            return tuple(number(part) for part in text.strip("[]()").split(","))
        if flag.kind == "names":
            return _names(flag, text)
        return _parser(flag).parse(text)
    except ValueError as error:
        expected = f"one of {', '.join(flag.choices)}" if flag.choices else EXPECTED[flag.kind]
        if flag.kind == "names":
            expected = f"{NO_NAMES}, or some of {', '.join(flag.choices)} with commas between"
        raise InputError(f"{where}: --{flag.name}={text}: expected {expected}") from error


def _names(flag: Flag, text: str) -> tuple[str, ...]:
    given = [part.strip() for part in text.split(",")] if text != NO_NAMES else []
    if not set(given) <= set(flag.choices):
        raise ValueError
    return tuple(name for name in flag.choices if name in given)


def _parser(flag: Flag) -> absl_flags.ArgumentParser[Any]:
    if flag.kind == "enum":
        return absl_flags.EnumParser(flag.choices)
    return {
        "bool": absl_flags.BooleanParser,
        "int": absl_flags.IntegerParser,
        "float": absl_flags.FloatParser,
    }[flag.kind]()
