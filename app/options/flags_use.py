"""Flags of prediction, of the machine and of sweeps."""

from __future__ import annotations

from app.options.flag import Flag, registered

INFERENCE = (
    Flag("model", "text", None, "Run folder or .keras file to test, other than --save_path."),
    Flag("ensemble", "text", None, "Run folders, with commas, whose models form an ensemble."),
    Flag(
        "members",
        "int",
        1,
        "Members drawn of each model (diffusion, Monte Carlo dropout, Bernoulli-gamma).",
    ),
    Flag("write_members", "bool", True, "Write the members beside their mean and spread."),
    Flag(
        "write_quantiles",
        "floats",
        None,
        "Quantiles of the members to write, or with one member those of the distribution that "
        "--loss=bernoulli_gamma predicts, in place of its mean.",
    ),
    registered("sampler", "heun", "How a diffusion model draws members."),
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
        "input_variables",
        "text",
        None,
        "Names in --input of the model's inputs, MODEL:FILE with commas (t2m:tas,pr:rr), where "
        "they are others than in training.",
    ),
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
    Flag(
        "inference_save_fname",
        "text",
        None,
        "Name of the prediction's file in the run folder, other than y_hat.nc.",
    ),
    Flag(
        "output",
        "text",
        None,
        "File of the prediction elsewhere, in a folder that is there; one that is there already "
        "is replaced with --overwrite alone.",
    ),
    Flag(
        "inference_array_in_hr",
        "bool",
        False,
        "The data module's inference_data is on the fine grid.",
    ),
)

MACHINE = (
    Flag("device", "enum", None, "Default: GPU where there is one.", ("GPU", "CPU")),
    registered("precision", "float32", "Precision of the network."),
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
)

SWEEP = (
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
)
