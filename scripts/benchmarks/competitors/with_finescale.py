"""This program: training steps on a constant batch or on batches from shards."""

from __future__ import annotations

from itertools import islice, repeat
from typing import Any

from scripts.benchmarks.networks import COMMON, NETWORKS
from scripts.benchmarks.serving import Step, serve


def prepare(task: dict[str, Any]) -> tuple[dict[str, Any], Step]:
    """Train the network of a task; "source" is "constant", by default, or "shards"."""
    from app import options
    from app.data.streaming.sampler import Sampler
    from app.methods.method import method_of
    from app.methods.one_phase import OnePhase
    from app.ranks import Ranks
    from app.session import Session

    network = NETWORKS[task["network"]]
    own = (f"--batch_size={network.batch}", f"--threads={task['threads']}")
    machine = (f"--precision={task['precision']}", f"--cache_dir={task['cache']}", "--device=CPU")
    words, values = options.parse(["train", *COMMON, *network.flags, *own, *machine])
    session = Session(options.build(words, values), Ranks())
    assert session.communicator  # starts TensorFlow
    method = method_of(session.experiment)
    assert isinstance(method, OnePhase)
    parts = method.build(session, session.shards)
    epoch = 0

    def stream() -> Any:
        nonlocal epoch
        epoch += 1
        size = parts.samples.size("train")
        return parts.samples.batches("train", Sampler(size, epoch=epoch, batch_size=network.batch))

    with stream() as first:
        constant = next(iter(first))

    def step(count: int) -> None:
        if task.get("source") == "shards":
            left = count
            while left:
                with stream() as batches:
                    left -= _trained(parts.trainer, islice(batches, left))
        else:
            _trained(parts.trainer, repeat(constant, count))
        parts.trainer.epoch_losses()  # waits for the device

    weights = sum(int(w.shape.num_elements()) for w in parts.trainer.learners[0].weights)
    return {"weights": weights, "batch": network.batch}, step


def _trained(trainer: Any, batches: Any) -> int:
    count = 0
    for batch in batches:
        trainer.train_step(batch)
        count += 1
    return count


if __name__ == "__main__":
    serve(prepare)
