"""Run by the rank tests: some training steps, after which every rank writes what it has.

usage: parallel_steps.py CACHE OUT STEPS BATCH_SIZE [flags]
"""

import sys
from itertools import islice
from pathlib import Path

import numpy as np

from app import options
from app.data.streaming.sampler import Sampler
from app.exit_codes import OK
from app.ranks import Ranks
from app.session import Session


def main(out: Path, steps: int, argv: list[str]) -> None:
    experiment = options.build(*options.parse(["train", *argv]))
    session = Session(experiment, Ranks.from_environment())
    ranks = session.ranks
    _ = session.communicator  # TensorFlow starts as the run wants it
    parts = experiment.method.build(session, session.shards)
    samples, trainer = parts.samples, parts.trainer
    sampler = Sampler(
        n=samples.size("train"),
        seed=experiment.training.seed,
        epoch=0,
        rank=ranks.rank,
        size=ranks.size,
        batch_size=experiment.sampling.batch_size,
    )
    losses = []
    for batch in islice(samples.batches("train", sampler), steps):
        trainer.train_step(batch)
        losses.append(list(trainer.epoch_losses().values()))
    seen = [sampler.batch(step) for step in range(sampler.steps)]
    variables = [v for learner in trainer.learners for v in learner.model.variables]
    weights = {f"w{i}": np.asarray(v.numpy()) for i, v in enumerate(variables)}
    seeds = {f"seed{i}": np.asarray(v.numpy()) for i, v in enumerate(trainer.seeds())}
    np.savez(
        out / f"rank-{ranks.rank}.npz",
        losses=losses,
        seen=np.concatenate([indices[w > 0] for indices, w in seen]),
        **{k: v for k, v in weights.items() if v.dtype.kind == "f"},
        **seeds,
    )
    session.leave(OK)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
