"""Downscaling in space and in time: two tasks of one shape, behind the contract of `Task`.

What a run downscales is decided once: by the training method for the data that are prepared, whose
manifest keeps it, and by a saved model for what it predicts. What differs is asked of the task.
"""

from app.tasks.lookup import task_named, task_of_run
from app.tasks.task import Task

__all__ = ["Task", "task_named", "task_of_run"]
