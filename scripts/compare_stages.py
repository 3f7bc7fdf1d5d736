"""A stack of stages, stage by stage: fed with true fields, and joined.

python scripts/compare_stages.py runs/germany_pr_deepsd

The RMSE is that at each stage's own resolution; "ratio" is joined / alone, and "of sum" joined /
the root of the summed squares of all stages up to it alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from app.errors import InputError, refusals
from app.options.chosen import able
from app.running.run_folder import model_file
from app.session import Session


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a run of a stack")
    parser.add_argument("split", nargs="?", default="test", choices=("test", "validation"))
    given = parser.parse_args()
    run, split = given.run, given.split
    with refusals(parser.prog):
        session = Session.of_run(run, "test")
        experiment = session.experiment
        if not experiment.method.abilities.stages:
            expected = " or ".join(able("stages"))
            raise InputError(f"{run}: trained by {experiment.training.trainer}, not {expected}")
        path = model_file(run, str(run))
        shards = session.shards

    from app.methods.deepsd.scores import score_stages
    from app.models import PhysicalModel

    data = experiment.data
    scores = score_stages(
        PhysicalModel.load(path),
        experiment.stack.sr_factors,
        shards,
        split,
        data.min_valid_fraction if data else 0.5,
    )
    for c, variable in enumerate(shards.variables["hr"]):
        print(f"{variable.name}, RMSE in {variable.units or '1'}, {split} period")
        print(f"{'stage':>5} {'cells':>5} {'alone':>9} {'joined':>9} {'ratio':>6} {'of sum':>6}")
        for score in scores:
            alone, joined = score.alone[c], score.joined[c]
            print(
                f"{score.number:5d} {score.cells:5d} {alone:9.4g} {joined:9.4g} "
                f"{joined / alone:6.3f} {joined / score.summed[c]:6.3f}"
            )


if __name__ == "__main__":
    main()
