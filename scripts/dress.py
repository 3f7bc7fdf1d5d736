"""Dress a deterministic run with Gaussian noise, as a yardstick for ensembles.

usage: dress.py MEMBERS RUN OUT

OUT becomes a run folder whose y_hat.nc has the fields of RUN on the test period plus independent
noise per cell, its standard deviation that of the errors on the validation period, and whose
metrics/ are scored like any other run's.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from app import config, flags
from app.distributed import Ranks
from app.session import Session
from app.stages import metrics


def main(members: int, run: Path, out: Path) -> None:
    words, values = flags.parse(["test", "metrics", f"--flagfile={run / 'experiment.cfg'}"])
    experiment = config.build(words, {**values, "save_path": str(out), "overwrite": False})
    session = Session(experiment, Ranks())
    shards, communicator = session.shards, session.communicator

    from app.baselines.base import coarse_inputs
    from app.inference.dressed import DressedModel, error_deviation
    from app.inference.predict import predict
    from app.inference.writer import Layout
    from app.models import load_physical_model

    model = load_physical_model(run / "model.keras")

    def errors():
        for first in range(0, shards.size("validation"), experiment.sampling.batch_size):
            last = min(first + experiment.sampling.batch_size, shards.size("validation"))
            rows = np.arange(first, last)
            batch = {
                "coarse": coarse_inputs(shards, rows, "validation"),
                "time": shards.time_features("validation", rows),
            }
            yield model.predict_fields(batch)[0], shards.read("hr", "validation", rows)

    layout = Layout(shards.geometry.fine, shards.variables["hr"], {}, members=members)
    predict(
        DressedModel(model, error_deviation(errors())),
        lambda indices: coarse_inputs(shards, indices, "test"),
        shards.stamps("test"),
        replace(layout, attributes={"title": f"{run} dressed with normal errors"}),
        session.folder.prediction(),
        communicator=communicator,
        batch_size=experiment.sampling.batch_size,
        seed=experiment.training.seed,
        members=members,
        has_times=shards.has_times,
    )
    metrics.run(session)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
