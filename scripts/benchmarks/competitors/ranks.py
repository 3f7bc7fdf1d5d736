"""One rank of this program under a launcher: steps of training, and sums of messages by size.

    mpirun -np 2 python -m scripts.benchmarks.competitors.ranks TASK

The first rank prints what it found as one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import repeat
from typing import Any

from scripts.benchmarks.networks import COMMON, NETWORKS

WARM = 5  # calls that do not count


def main() -> None:
    task = json.loads(sys.argv[1])

    from app import options
    from app.data.streaming.sampler import Sampler
    from app.methods.method import method_of
    from app.methods.one_phase import OnePhase
    from app.ranks import Ranks
    from app.session import Session

    ranks = Ranks.from_environment()
    network = NETWORKS[task["network"]]
    flags = (f"--batch_size={network.batch}", "--threads=1", f"--cache_dir={task['cache']}")
    run = (f"--save_path={task['run']}", "--device=CPU", *task["flags"])
    words, values = options.parse(["train", *COMMON, *network.flags, *flags, *run])
    session = Session(options.build(words, values), ranks)
    communicator = session.communicator
    method = method_of(session.experiment)
    assert isinstance(method, OnePhase)
    parts = method.build(session, session.shards)
    sampler = Sampler(
        parts.samples.size("train"), rank=ranks.rank, size=ranks.size, batch_size=network.batch
    )
    with parts.samples.batches("train", sampler) as stream:
        batch = next(iter(stream))

    def steps(count: int) -> None:
        for same in repeat(batch, count):
            parts.trainer.train_step(same)
        parts.trainer.epoch_losses()

    steps(WARM)
    communicator.barrier()
    times = []
    for _ in range(task["runs"]):
        begun = time.perf_counter()
        steps(task["steps"])
        communicator.barrier()
        times.append((time.perf_counter() - begun) / task["steps"])
    weights = sum(int(w.shape.num_elements()) for w in parts.trainer.learners[0].weights)
    sums = _sums(communicator, task) if ranks.size > 1 else {}
    if ranks.first:
        found = {"step_s": times, "weights": weights, "sums": sums, "steps": sampler.steps}
        print("RESULT " + json.dumps(found), flush=True)
    session.leave(0)


def _sums(communicator: Any, task: dict[str, Any]) -> dict[str, float]:
    """Seconds that the ranks take to sum a message, by its bytes."""
    import tensorflow as tf

    found = {}
    for size in task["bytes"]:
        message = tf.ones(size // 4)
        summed = tf.function(lambda x: communicator.sum([x])[0], autograph=False)
        for _ in range(WARM):
            summed(message)
        times = []
        for _ in range(task["sums"]):
            communicator.barrier()
            begun = time.perf_counter()
            summed(message).numpy()
            times.append(time.perf_counter() - begun)
        found[str(size)] = sorted(times)[len(times) // 2]
    return found


if __name__ == "__main__":
    main()
