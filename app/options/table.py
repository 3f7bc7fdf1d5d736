"""Every flag, once, by section."""

from __future__ import annotations

from app.options import flags_experiment, flags_learning, flags_use
from app.options.flag import Flag

SECTIONS: dict[str, tuple[Flag, ...]] = {
    "EXPERIMENT": flags_experiment.EXPERIMENT,
    "DATA": flags_experiment.DATA,
    "DOWNSCALING": flags_experiment.DOWNSCALING,
    "MODEL": flags_learning.MODEL,
    "DIFFUSION": flags_learning.DIFFUSION,
    "TRAINING": flags_learning.TRAINING,
    "INFERENCE": flags_use.INFERENCE,
    "MACHINE": flags_use.MACHINE,
    "SWEEP": flags_use.SWEEP,
}

FLAGS_BY_NAME: dict[str, Flag] = {flag.name: flag for part in SECTIONS.values() for flag in part}

# Flags that each say what the data are, so that a later one replaces an earlier one, and the flags
# that mean something beside it alone.
DATA_WAYS: dict[str, tuple[str, ...]] = {
    "data_config": (),
    "data": ("variable", "static"),
    "data_module": (),
}

# Flags that may differ between two calls on one run folder: none changes what is learnt.
FREE_FLAGS = frozenset(
    {
        *(
            "train",
            "test",
            "metrics",
            "epochs",
            "save_path",
            "overwrite",
            "accept_changed_data",
            "verbose",
            "verify",
        ),
        *("debug_traceback", "cache_dir", "stage_to", "data_root", "model", "input", "ensemble"),
        *("input_correction", "input_reference", "sr_stage", "finetune_joint"),
        *("test_pairs", "members", "write_members", "write_quantiles"),
        *("tile_size", "tile_overlap", "input_grid", "uncovered", "input_variables"),
        *("sampler", "sampling_steps", "ddim_eta", "noise_correlation"),
        *("temporal_model", "coherence_epochs", "target_times"),
        *(
            "inference_save_fname",
            "output",
            "tensorboard",
            "device",
            "threads",
            "gpu_memory_growth",
        ),
        *("use_multiprocessing", "show_plot", "checkpoints_frequency", "checkpoint_every"),
        "time_limit",
        *(flag.name for flag in flags_use.SWEEP),
        *("network_interface", "launch_timeout", "rank_timeout"),
    }
)
