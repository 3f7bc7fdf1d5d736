"""Which task a manifest, a description of data, a run or a saved model has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.model_archive import saved_task
from app.registry import REGISTRY
from app.tasks.task import CHAIN, KIND, TIME, Task

if TYPE_CHECKING:
    from app.options import Experiment


def task_named(name: str) -> Task:
    """The task of a manifest, a description of data, or a saved model."""
    kind: type[Task] = REGISTRY.resolve(KIND, name)
    return kind()


def task_of_run(experiment: Experiment, model: Path) -> Task:
    """The task by which a saved model predicts: that of the flags' method, or the model's own.

    The trainer that stands for downscaling in space is also the default, and so says nothing.
    """
    if experiment.inference.temporal_model is not None:
        return task_named(CHAIN)
    told = saved_task(model)
    return task_named(experiment.task if told is None or experiment.task == TIME else told)
