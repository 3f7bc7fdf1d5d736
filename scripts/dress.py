"""Dress a deterministic run with Gaussian noise, as a yardstick for ensembles.

python scripts/dress.py 16 runs/era5_uk_t2m runs/dressed

The last becomes a run folder whose y_hat.nc has the fields of the other on the test period plus
independent noise per cell, its standard deviation that of the errors on the validation period, and
whose metrics/ are scored like any other run's.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.errors import refusals
from app.running.run_folder import model_file
from app.session import Session
from app.stages import metrics


def dress(members: int, run: Path, out: Path) -> None:
    session = Session.of_run(run, "test", "metrics", save_path=str(out), members=members)
    experiment, shards, communicator = session.experiment, session.shards, session.communicator

    from app.baselines.base import coarse_inputs
    from app.data.shards.identity import identity_digest
    from app.inference.already import DATA_DIGEST
    from app.inference.dressed import DressedModel, error_deviation
    from app.inference.predict import CoarseRecord, write_record
    from app.inference.writer import Layout
    from app.models import PhysicalModel

    model = PhysicalModel.load(model_file(run, str(run)))

    session.folder.check(experiment.flags, overwrite=False)
    session.folder.begin(experiment.flags, overwrite=False)

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
    record = CoarseRecord(
        DressedModel(model, error_deviation(errors())),
        lambda indices: coarse_inputs(shards, indices, "test"),
        shards.stamps("test"),
        batch_size=experiment.sampling.batch_size,
        seed=experiment.training.seed,
        members=members,
        has_times=shards.has_times,
    )
    told = {"title": f"{run} dressed with normal errors", DATA_DIGEST: identity_digest(shards)}
    titled = replace(layout, attributes=told)
    write_record(record, titled, experiment.prediction, communicator=communicator)
    metrics.run(session)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("members", type=int)
    parser.add_argument("run", type=Path, help="folder of a deterministic run")
    parser.add_argument("out", type=Path, help="folder that is made")
    given = parser.parse_args()
    with refusals(parser.prog):
        dress(given.members, given.run, given.out)
