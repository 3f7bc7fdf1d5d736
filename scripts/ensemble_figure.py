"""Draw an ensemble beside a deterministic run: truth, coarse, net, four members, mean, spread.

usage: ensemble_figure.py RUN DETERMINISTIC_RUN OUT.png

Of the time at which the mean's error is the median one. Both runs are on the same data, and have
predicted its test period.
"""

import sys
import tempfile
from pathlib import Path

import xarray as xr

from app import config, flags
from app.distributed import Ranks
from app.metrics.evaluate import evaluate
from app.report.figures import DPI
from app.report.members import ensemble_maps
from app.session import Session


def main(run: Path, other: Path, out: Path) -> None:
    words, values = flags.parse(["metrics", f"--flagfile={run / 'experiment.cfg'}"])
    session = Session(config.build(words, {**values, "save_path": str(run)}), Ranks())
    prediction = session.folder.prediction()
    with tempfile.TemporaryDirectory() as folder:
        found = evaluate(session.shards, prediction, folder, candidates=("bicubic",))
    with xr.open_dataset(other / prediction.name) as fields:
        for result in found.variables:
            field = fields[result.variable.name].sel(time=result.example.time).values
            south_up = field[:: 1 if fields["lat"][0] < fields["lat"][-1] else -1]
            ensemble_maps(result, found.grid, south_up).savefig(out, dpi=DPI)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
