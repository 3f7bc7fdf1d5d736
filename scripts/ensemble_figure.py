"""Draw an ensemble beside a deterministic run: truth, coarse, net, four members, mean, spread.

python scripts/ensemble_figure.py runs/era5_uk_t2m_diffusion runs/era5_uk_t2m members.png

Of the time at which the mean's error is the median one. Both runs are on the same data, and have
predicted its test period.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from app.data.times import Stamps
from app.errors import refusals
from app.metrics.evaluate import evaluate
from app.metrics.prediction import DatasetPrediction
from app.report.figures import DPI
from app.report.members import ensemble_maps
from app.session import Session

SPLIT = "test"


def draw(run: Path, other: Path, out: Path) -> None:
    session = Session.of_run(run, "metrics")
    shards, file = session.shards, session.experiment.prediction.name
    with tempfile.TemporaryDirectory() as folder:
        found = evaluate(shards, run / file, folder, candidates=("bicubic",))
    times, grid = shards.times(SPLIT), shards.geometry.fine
    stamps = Stamps.of(times)
    rows = {stamps.text(row).replace("T", " "): row for row in range(len(times))}
    opened = DatasetPrediction(other / file, shards.variables["hr"], grid, times)
    for c, result in enumerate(found.variables):
        layers = opened.read_layers(np.array([rows[result.example.time]]))
        field = opened.field_of(layers)[0, ..., c]
        suffix = f"_{result.subject.variable.name}" if result.label else ""
        path = out.with_name(f"{out.stem}{suffix}{out.suffix}")
        ensemble_maps(result, field).savefig(path, dpi=DPI)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of the ensemble's run")
    parser.add_argument("other", type=Path, help="that of the deterministic run")
    parser.add_argument("out", type=Path, help="the figure")
    given = parser.parse_args()
    with refusals(parser.prog):
        draw(given.run, given.other, given.out)
