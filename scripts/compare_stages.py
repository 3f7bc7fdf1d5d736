"""A joined stack against its last stage fed with true fields: how much the join costs.

python scripts/compare_stages.py --flagfile=runs/deepsd/experiment.cfg
"""

from __future__ import annotations

import sys
from math import prod

import keras
import numpy as np

from app import config, flags
from app.baselines.base import coarse_inputs, time_blocks
from app.config import Experiment
from app.data.shards import Shards
from app.distributed import Ranks
from app.errors import InputError
from app.models import PhysicalModel, load_physical_model
from app.run_folder import RunFolder, model_file
from app.session import Session
from app.training.deepsd import BlockMeans, stage_folder

SPLIT = "test"


def main(argv: list[str]) -> int:
    try:
        _, values = flags.parse(argv)
        experiment = config.build(("test",), values)
        session = Session(experiment, Ranks())
        shards, folder = session.shards, session.folder
        model = load_physical_model(model_file(folder.model, f"--save_path={folder.path}"))
        last = last_stage(folder, experiment)
        joined, fed = compared(model, last, experiment, shards)
    except InputError as error:
        print(f"compare_stages: {error}", file=sys.stderr)
        return 2
    for variable, a, b in zip(shards.variables["hr"], joined, fed, strict=True):
        print(
            f"{variable.name}: rmse {a:.4g} {variable.units} joined, {b:.4g} from true fields of "
            f"the stage before; ratio {a / b:.3f}"
        )
    return 0


def last_stage(folder: RunFolder, experiment: Experiment) -> keras.Model:
    number = len(experiment.stack.factors)
    path = model_file(stage_folder(folder, number).path, f"stage {number}")
    return keras.saving.load_model(path, compile=False)


def compared(
    model: PhysicalModel, last: keras.Model, experiment: Experiment, shards: Shards
) -> tuple[np.ndarray, np.ndarray]:
    """RMSE (C,) of the joined stack, and of its last stage behind true fields."""
    geometry, factor = shards.geometry, experiment.stack.factors[-1]
    data = experiment.data
    means = BlockMeans(geometry.weights(), data.min_valid_fraction if data else 0.5)
    area = geometry.fine.cell_areas()[..., None]
    squares, weight = np.zeros((2, len(shards.variables["hr"]))), 0.0
    scale = prod(experiment.stack.factors)
    for indices in time_blocks(shards.size(SPLIT), 64 * prod(geometry.padded_shape)):
        truth = shards.read("hr", SPLIT, indices)
        batch = {
            "coarse": coarse_inputs(shards, indices, SPLIT),
            "time": shards.time_features(SPLIT, indices),
        }
        hr = geometry.pad_field(truth, axes=(1, 2))
        between = model.encode_targets(means({"hr": hr}, factor, scale))
        inputs = {"coarse": np.nan_to_num(np.asarray(between))}
        if model.spec.statics:
            inputs["static"] = model.encode_inputs(batch["coarse"], None, batch["time"])["static"]
        fed = geometry.crop(np.asarray(model.decode(last(inputs, training=False))), axes=(1, 2))
        joined = model.predict_fields(batch)[0]
        known = np.isfinite(truth) & np.isfinite(joined)
        for row, field in zip(squares, (joined, fed), strict=True):
            row += (area * np.where(known, field - truth, 0.0) ** 2).sum(axis=(0, 1, 2))
        weight += (area * known).sum(axis=(0, 1, 2))
    joined, fed = np.sqrt(squares / weight)
    return joined, fed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
