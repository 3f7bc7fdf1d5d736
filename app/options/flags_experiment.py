"""Flags of an experiment, its data and its pairs of fine and coarse fields."""

from __future__ import annotations

from app.data.description import GAP_POLICIES, KINDS, TRANSFORMS, UNCOVERED
from app.options.flag import Flag, registered

EXPERIMENT = (
    Flag("train", "bool", True, "Run the stage train, where no stage is named."),
    Flag("test", "bool", True, "Run the stage test, where no stage is named."),
    Flag("metrics", "bool", True, "Run the stage metrics, where no stage is named."),
    Flag("save_path", "text", "./dl4ds_results/", "Run folder: all that the run writes."),
    Flag(
        "overwrite",
        "bool",
        False,
        "Start anew in a run folder made with other flags: the run's own files are removed, "
        "others stay.",
    ),
    Flag(
        "accept_changed_data",
        "bool",
        False,
        "Go on in a run folder with data that are not those it was trained on.",
    ),
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
)

DATA = (
    Flag("data_config", "text", None, "YAML data description."),
    Flag("data", "text", None, "NetCDF, Zarr or GRIB files of the predictand, without any YAML."),
    Flag("variable", "text", None, "Variable of --data to downscale; several with commas."),
    Flag(
        "static",
        "text",
        None,
        "Static fields FILE:VARIABLE, several with commas; with --input_grid=own those of the "
        "region of --input.",
    ),
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
    Flag(
        "uncovered",
        "enum",
        "refuse",
        "Cells of the target that an input does not cover: refuse them, or mask (leave them "
        "missing).",
        UNCOVERED,
    ),
    Flag("units", "text", None, "Unit of the predictand, such as degC, instead of the file's."),
    Flag(
        "kind",
        "enum",
        None,
        "interval, or ratio for amounts such as precipitation, which allows relative scores.",
        KINDS,
    ),
    Flag("valid_min", "float", None, "Lower bound of the predictand, in its unit."),
    Flag("valid_max", "float", None, "Upper bound of the predictand, in its unit."),
    Flag("accumulation", "text", None, "What amounts have gathered over, such as 1D (of mm)."),
    Flag(
        "missing",
        "floats",
        None,
        'Values of the predictand, in the file\'s unit, that stand for "missing".',
    ),
    Flag(
        "aggregate",
        "text",
        None,
        "Gather steps of the predictand into longer ones, such as 1D:mean (mean, sum, max, min).",
    ),
    Flag(
        "region",
        "text",
        None,
        "Part of the fine grid: SOUTH:NORTH,WEST:EAST in degrees, such as 35:45,-10:5.",
    ),
    Flag(
        "splits",
        "text",
        None,
        "Keys of a YAML's splits, such as 'train: [2001, 2008], validation: [2009, 2009], "
        "test: [2010, 2010]' or 'kind: blocks, block: 20D'; three shares in time order, such as "
        "0.6,0.2,0.2; or the name of the split that all times belong to.",
    ),
    Flag(
        "data_module",
        "text",
        None,
        "Python file that holds the arrays; it is code that runs with your rights, also where a "
        "flagfile names it.",
    ),
    Flag("data_root", "text", None, "Folder that ${DATA_ROOT} stands for in a YAML."),
    Flag("cache_dir", "text", "./finescale_cache", "Folder of the prepared shards."),
    Flag("stage_to", "text", None, "Copy the shards to this node-local folder first."),
    Flag(
        "verify",
        "enum",
        "open",
        "When checksums of prepared data and predictions are compared: never, once when they are "
        "opened, beside the work (open), or whenever a block is read (always, or the bare flag, "
        "with which the stage check compares all before it goes on).",
        ("never", "open", "always"),
        truths=("always", "open"),
    ),
)

DOWNSCALING = (
    registered("trainer", "SupervisedTrainer", "Training method."),
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
    registered("interpolation", "inter_area", "Interpolation before the network (pin)."),
    Flag("input_step", "text", None, "Time between known frames, such as 3h (TemDeepTrainer)."),
    Flag("target_step", "text", None, "Wanted time step, such as 1h (TemDeepTrainer)."),
    Flag(
        "target_times",
        "text",
        None,
        "Wanted times instead, with commas, such as 2019-03-26T01:20,2019-03-26T02 (stage test).",
    ),
    Flag(
        "gap_policy",
        "enum",
        "refuse",
        "Irregular time steps: refuse them, skip (leave gaps), or bridge (interpolate over).",
        GAP_POLICIES,
    ),
)
