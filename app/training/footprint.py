"""How much disk and memory training takes, roughly, before anything is trained."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import InputError
from app.options.network import DEEPESD_FILTERS, DENSE

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.options import Experiment, ModelConfig

MEBI, GIBI = 2**20, 2**30
FLOAT = 4  # bytes
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
BATCHES = 4  # in memory at once: one used, one being made, two waiting
# Fields of all channels that are kept for the gradients, and TensorFlow itself: as measured on
# CPUs, within a third, for residual networks and U-Nets of 8 and 64 filters.
LAYERS_A_BLOCK = 6
LAYERS_BEHIND = 32
KEPT_A_LAYER = 2  # of DeepESD: a convolution's output, and that of its activation
LAYERS_OF_WIDE_HEAD = 4  # of the last block's width
FRAMEWORK = 650 * MEBI
# Of the weights of a layer that leads to every cell, as measured with 42 and 126 million of them:
# themselves, gradients, moments, running means, and what checkpoints are written from.
WEIGHT_COPIES = 15
BEYOND_DOUBT = 2.0  # times the memory there is: the estimate is right within a third


def disk(shards: Shards) -> int:
    """Bytes of the shards."""
    return shards.bytes


def memory(experiment: Experiment, shards: Shards, with_network: bool = True) -> int:
    """Bytes of one rank in training, roughly: TensorFlow, batches, and what a network keeps.

    `with_network`: false where a GPU keeps it. A batch holds no more samples than there are. The
    shards are mapped: they fill what is left of the memory, and give it back.
    """
    sampling = experiment.sampling
    frames = sampling.time_window or 1
    fine_y, fine_x = shards.geometry.padded_shape
    if sampling.patch_size is not None:
        fine_y = fine_x = sampling.patch_size
    fine = fine_y * fine_x
    coarse = math.ceil(fine / sampling.scale**2)
    channels = {role: len(members) for role, members in shards.variables.items()}
    fields = coarse * (channels["lr"] + channels["predictors"])
    fields += fine * (channels["hr"] + channels["static"])
    samples = min(sampling.batch_size, shards.size("train")) * frames
    kept = experiment.method.kept_values(experiment, coarse, fine) if with_network else 0
    held = WEIGHT_COPIES * dense_weights(experiment, shards) if with_network else 0
    return FRAMEWORK + FLOAT * (samples * (BATCHES * fields + kept) + held)


def dense_weights(experiment: Experiment, shards: Shards) -> int:
    """Weights of a layer that leads to every fine cell; 0 where there is none."""
    geometry = shards.geometry
    coarse, fine = math.prod(geometry.coarse_shape), math.prod(geometry.fine_shape)
    parameters = experiment.training.output_parameters * len(shards.variables["hr"])
    return experiment.model.dense_weights(coarse, fine * parameters)


def refuse_excess(
    experiment: Experiment, shards: Shards, ranks_here: int, with_network: bool
) -> None:
    """InputError where the ranks of this machine need far more memory to train than there is."""
    needed = memory(experiment, shards, with_network) * ranks_here
    there = machine_memory()
    if there and needed > BEYOND_DOUBT * there:
        sampling, model = experiment.sampling, experiment.model
        ranks = f" on each of {ranks_here} ranks" if ranks_here > 1 else ""
        raise InputError(
            f"--batch_size={sampling.batch_size} with --n_filters={model.n_filters} and "
            f"--n_blocks={model.n_blocks}{ranks}: training needs about {needed / GIBI:.0f} GiB, "
            f"and there are {there / GIBI:.1f} GiB; expected a smaller batch, patch or network"
        )


def notes(experiment: Experiment, shards: Shards) -> Iterator[str]:
    """Warnings where these settings do not suit this machine."""
    size, samples = experiment.sampling.batch_size, shards.size("train")
    if size > samples:
        yield f"--batch_size={size} is more than the {samples} training samples: one step an epoch"
    needed, there = memory(experiment, shards), machine_memory()
    if there and needed > there:
        yield (
            f"training may need {needed / GIBI:.1f} GiB a rank, and there are "
            f"{there / GIBI:.1f}; expected a smaller --batch_size, or --patch_size"
        )
    yield from experiment.method.notes(shards)


def machine_memory() -> int:
    """Bytes of memory that this process may use; 0 where the system does not tell.

    A batch job or container may have less than the machine.
    """
    known = []
    with suppress(ValueError, OSError):
        known.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(ValueError, OSError):
        known.append(int(CGROUP_LIMIT.read_text()))  # "max" without a limit
    return min(known, default=0)


def network_values(model: ModelConfig, trunk: int, fine: int) -> int:
    """Values of one frame that a network keeps in memory to compute its gradients.

    trunk: cells of the grid that its blocks work on.
    """
    if model.backbone == DENSE:
        return KEPT_A_LAYER * trunk * sum(DEEPESD_FILTERS) + fine
    kept = trunk * model.n_filters * LAYERS_A_BLOCK * model.n_blocks
    kept += fine * model.n_filters * LAYERS_BEHIND
    if model.wide_head and trunk < fine:
        kept += fine * model.n_filters * model.n_blocks * LAYERS_OF_WIDE_HEAD
    return kept
