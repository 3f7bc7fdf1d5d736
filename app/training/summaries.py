"""TensorBoard summaries of the epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.running.disk_space import writing


class Summaries:
    """Writes scalars to a folder, or nothing where there is none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._writer: Any = None

    def write(self, row: dict[str, float]) -> None:
        """Write every value of an epoch's row under its name."""
        if self._folder is None:
            return
        import tensorflow as tf

        with writing(self._folder):
            if self._writer is None:
                self._writer = tf.summary.create_file_writer(str(self._folder))
            with self._writer.as_default():
                for name, value in row.items():
                    if name != "epoch":
                        tf.summary.scalar(name, value, step=int(row["epoch"]))
                self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
