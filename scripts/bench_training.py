"""Training rate from shards against that of one constant batch in memory.

The reference network (resnet + spc, 6 blocks × 8 filters, 64 × 64, ×4, batch 32). Runs of both
kinds alternate; their medians are compared.

usage: python scripts/bench_training.py [--runs=5] [--steps=40] [--threads=2] [flags of the program]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import islice, repeat
from typing import Any

from app import options
from app.data.streaming.batches import batches
from app.data.streaming.sampler import Sampler
from app.ranks import Ranks
from app.session import Session

FLAGS = [
    *("train", "--data=synthetic", "--variable=t2m", "--scale=4", "--backbone=resnet"),
    *("--upsampling=spc", "--n_blocks=6", "--n_filters=8", "--batch_size=32"),
]


def rate(trainer: Any, stream: Iterator[dict[str, Any]], batch_size: int) -> float:
    """Samples/s over a stream of batches."""
    begun, steps = time.perf_counter(), 0
    for batch in stream:
        trainer.train_step(batch)
        steps += 1
    trainer.epoch_losses()  # waits for the device
    return steps * batch_size / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    given, further = parser.parse_known_args()
    cache = tempfile.mkdtemp()
    argv = [*FLAGS, f"--cache_dir={cache}", f"--threads={given.threads}", *further]
    session = Session(options.build(*options.parse(argv)), Ranks())
    shards, communicator = session.shards, session.communicator

    from app.methods.spatial.model import build_model
    from app.methods.supervised.trainer import SupervisedTrainer

    trainer = SupervisedTrainer(
        build_model(session.experiment, shards, session.ranks),
        session.experiment.training,
        communicator,
        steps_per_epoch=given.steps,
        data_range=shards.scaling["hr"].data_range,
    )
    size = session.experiment.sampling.batch_size

    def from_shards(epoch: int) -> Iterator[dict[str, Any]]:
        sampler = Sampler(n=shards.size("train"), seed=0, epoch=epoch, batch_size=size)
        return islice(batches(shards, "train", sampler), given.steps)

    constant = next(from_shards(0))
    rate(trainer, repeat(constant, 5), size)  # compiles
    results: dict[str, list[float]] = {"shards": [], "constant": []}
    for run in range(given.runs):
        results["shards"].append(rate(trainer, from_shards(run + 1), size))
        results["constant"].append(rate(trainer, repeat(constant, given.steps), size))
    medians = {name: statistics.median(rates) for name, rates in results.items()}
    for name, rates in results.items():
        print(f"{name:<10}{medians[name]:8.0f} samples/s  ({min(rates):.0f} to {max(rates):.0f})")
    print(f"ratio     {medians['shards'] / medians['constant']:8.3f}")


if __name__ == "__main__":
    main()
