"""Prediction: fields a second whole and in tiles, members, memory of a large field, loading."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from scripts.benchmarks.fields import write_fields
from scripts.benchmarks.measuring import Cost, Costs, cost_of, cost_of_command, in_turns, rates
from scripts.benchmarks.results import REPOSITORY, Table
from scripts.benchmarks.settings import Settings
from scripts.benchmarks.temporary import environment, folder, started

CELLS = 256  # fine cells a side of the fields that are predicted whole and in tiles
BATCH = 8
TILE, OVERLAP = 128, 16  # fine cells
WIDE = 4096  # fine cells a side of the large field
SPACING = 0.02  # degrees: 4096 of them fit a hemisphere
MEMBERS, STEPS = 16, 16  # of one field
NET = (
    *("--variable=t2m", "--scale=4", "--recipe=dl4ds", "--wide_head=false", "--dropout_rate=0"),
    *("--epochs=1", "--notensorboard", "--device=CPU", "--noverbose"),
)
DIFFUSION = (
    *("--trainer=DiffusionTrainer", "--n_channels=16", "--unet_blocks=1", "--batch_size=4"),
    *("--channel_multipliers=1,2,2", "--attention_levels=F,F,T"),
)
BARE = "the bare network"


def run(settings: Settings) -> list[Table]:
    """Two models are trained for a step, as their weights do not matter."""
    settings.say("infer: two models")
    with folder(settings.work) as work:
        own = (f"--threads={settings.threads}", f"--cache_dir={work / 'cache'}")
        cells = 64 if settings.small else CELLS
        write_fields(work / "x.nc", 40, cells, SPACING)
        write_fields(work / "small.nc", 40, 64, SPACING)
        for name, data, flags in (
            ("net", "x.nc", ()),
            ("diffusion", "small.nc", DIFFUSION),
        ):
            _program(settings, "train", f"--data={work / data}", *NET, *own, *flags,
                     f"--save_path={work / name}", "--debug")  # fmt: skip
        tables = [_rates(work, cells, settings), _members(work, settings)]
        tables.append(_large(work, own, settings))
    return tables


def _rates(work: Path, cells: int, settings: Settings) -> Table:
    """In this process: the network alone, the model around it, tiles of it."""
    started(settings.threads)
    import tensorflow as tf

    from app.inference.tiles import TiledModel
    from app.models import PhysicalModel

    path = work / "net" / "model.keras"
    model = PhysicalModel.load(path)
    rng = np.random.default_rng(0)
    batch = {
        "coarse": 280 + rng.standard_normal((BATCH, cells // 4, cells // 4, 1), np.float32),
        "time": np.zeros((BATCH, 8), np.float32),
        "seconds": np.arange(BATCH),
    }
    inputs = model.encode_inputs(batch["coarse"], time=batch["time"])
    network = tf.function(lambda x: model.network(x, training=False), autograph=False)
    tile = min(TILE, cells // 2)
    overlap = OVERLAP * tile // TILE
    tiled = TiledModel(model, tile, overlap)
    settings.say("infer: rates")
    cases: dict[str, Callable[[], Any]] = {
        BARE: lambda: network(inputs).numpy(),
        "the model, whole fields": lambda: model.predict_fields(batch, 0, 1),
        f"the model, tiles of {tile}": lambda: tiled.predict_fields(batch, 0, 1),
    }
    costs = _repeated(cases, BATCH, settings)
    loading = [cost_of(lambda: PhysicalModel.load(path)) for _ in range(settings.runs)]
    rows = rates(costs, "fields", BARE)
    rows.append({"what": "loading a model.keras", "s": [cost.wall for cost in loading]})
    note = (
        f"Fields of {cells} × {cells} fine cells, resnet with spc of 8 filters and 6 blocks, "
        f"batches of {BATCH}, no reading or writing; tiles overlap by {overlap} cells."
    )
    return Table("infer_rates", "Predicting fields", rows, [note])


def _members(work: Path, settings: Settings) -> Table:
    """Members of the diffusion model, beside as many calls of its network alone."""
    started(settings.threads)
    import tensorflow as tf

    from app.models import Drawing
    from app.models.diffusion.model import DiffusionModel
    from app.models.diffusion.samplers import SamplingOptions

    model = DiffusionModel.load(work / "diffusion" / "model.keras")
    steps = 2 if settings.small else STEPS
    rng = np.random.default_rng(0)
    batch = {
        "coarse": 280 + rng.standard_normal((1, 16, 16, 1), np.float32),
        "time": np.zeros((1, 8), np.float32),
        "seconds": np.arange(1),
    }
    how = Drawing(sampling=SamplingOptions(sampler="dpm++", steps=steps))
    given = {
        name: np.zeros((MEMBERS, *(64 if n is None else n for n in tensor.shape[1:])), "f4")
        for name, tensor in model.network.input.items()
    }
    network = tf.function(lambda x: model.network(x, training=False), autograph=False)

    def bare() -> None:
        for _ in range(steps):
            network(given).numpy()

    settings.say("infer: members")
    cases: dict[str, Callable[[], Any]] = {
        BARE: bare,
        "drawn members": lambda: model.predict_fields(batch, 0, MEMBERS, how),
    }
    rows = rates(_repeated(cases, MEMBERS, settings), "members", BARE)
    note = (
        f"{MEMBERS} members of a field of 64 × 64 cells by {steps} steps of DPM-Solver++; a "
        "denoising U-Net of 16, 32 and 32 channels with attention on the coarsest level."
    )
    return Table("infer_members", "Drawing members", rows, [note])


def _large(work: Path, own: tuple[str, ...], settings: Settings) -> Table:
    """A whole process that predicts one large field in tiles."""
    cells = 256 if settings.small else WIDE
    settings.say(f"infer: {cells} × {cells} in tiles")
    write_fields(work / "wide.nc", 1, cells // 4, 4 * SPACING)
    cost = _program(
        settings,
        *("test", "--scale=4", f"--model={work / 'net'}", f"--input={work / 'wide.nc'}"),
        *("--input_grid=own", "--tile_size=256", "--batch_size=1", "--noverbose", *own),
        f"--save_path={work / 'wide'}",
    )
    row = {
        "fine cells": f"{cells} × {cells}",
        "s": cost.wall,
        "core-s": cost.cpu,
        "peak memory, MiB": cost.peak_mib,
    }
    note = "A whole process: start, reading, tiles of 256 × 256 cells, writing; resident memory."
    return Table("infer_large", "One large field", [row], [note])


def _repeated(cases: dict[str, Callable[[], Any]], amount: int, settings: Settings) -> Costs:
    """Each case as often as fills a turn, after a call that compiles."""

    def timed(work: Callable[[], Any]) -> Callable[[], Cost]:
        work()
        each = max(cost_of(work).wall, 1e-4)
        count = max(1, round(settings.seconds / each))
        return lambda: cost_of(lambda: [work() for _ in range(count)], amount * count)

    return in_turns({name: timed(work) for name, work in cases.items()}, settings.runs)


def _program(settings: Settings, *argv: str) -> Cost:
    return cost_of_command(
        [sys.executable, "-m", "app", *argv], env=environment(settings.threads), cwd=REPOSITORY
    )
