"""A stack of stages, stage by stage: fed with true fields, and joined.

usage: python scripts/compare_stages.py RUN [validation]

RUN is the folder of a run of DeepSDTrainer; its test period is scored, or the split named. The
RMSE is that at each stage's own resolution; "ratio" is joined / alone, and "of sum" joined / the
root of the summed squares of all stages up to it alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

from app import config, flags
from app.config import STACK_TRAINER
from app.distributed import Ranks
from app.errors import InputError
from app.run_folder import model_file
from app.session import Session


def main(run: Path, split: str = "test") -> int:
    try:
        _, values = flags.parse(["test", f"--flagfile={run / 'experiment.cfg'}"])
        experiment = config.build(("test",), {**values, "save_path": str(run)})
        if experiment.training.trainer != STACK_TRAINER:
            raise InputError(
                f"{run}: trained by {experiment.training.trainer}, not {STACK_TRAINER}"
            )
        path = model_file(run, str(run))
        shards = Session(experiment, Ranks()).shards
    except InputError as error:
        print(f"compare_stages: {error}", file=sys.stderr)
        return 2

    from app.inference.stages import score_stages
    from app.models import load_physical_model

    data = experiment.data
    scores = score_stages(
        load_physical_model(path),
        experiment.stack.factors,
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
    return 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
