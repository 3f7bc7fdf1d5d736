"""The experiment as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.data.description import DataDescription
from app.methods.method import Method, method_named
from app.options.data import CacheOptions
from app.options.diffusion import DiffusionConfig
from app.options.inference import InferenceConfig
from app.options.machine import LaunchConfig, MachineConfig
from app.options.network import ModelConfig
from app.options.option import Values, as_text
from app.options.readers import path
from app.options.run import FolderOptions
from app.options.sampling import SamplingConfig
from app.options.stack import StackConfig
from app.options.temporal import TemporalConfig
from app.options.training import TrainingConfig, TransferConfig
from app.running.run_files import PREDICTION


@dataclass(frozen=True, kw_only=True)
class Experiment(FolderOptions, CacheOptions):
    """One experiment; `flags` are the values of all flags, kept for the run folder.

    test_data: what is predicted and scored, where that is not `data`.
    runs: folders whose status is wanted.
    """

    stages: tuple[str, ...]
    data: DataDescription | None
    test_data: DataDescription | None
    sampling: SamplingConfig
    model: ModelConfig
    training: TrainingConfig
    diffusion: DiffusionConfig
    stack: StackConfig
    transfer: TransferConfig
    temporal: TemporalConfig
    inference: InferenceConfig
    machine: MachineConfig
    launch: LaunchConfig
    flags: Values
    runs: tuple[Path, ...] = ()

    @property
    def method(self) -> Method:
        """How the model is trained."""
        return method_named(self.training.trainer)

    @property
    def guarded_path(self) -> Path:
        """The folder that this run alone may write to."""
        return self.method.guarded_path(self)

    @property
    def prediction(self) -> Path:
        """File of the predicted fields."""
        if self.inference.output is not None:
            return path(self.inference.output)
        return self.save_path / (self.inference.inference_save_fname or PREDICTION)

    @property
    def task(self) -> str:
        """Name of what the run downscales, as --trainer tells."""
        return self.method.task

    def text(self, name: str) -> str:
        """The value of any flag as text."""
        return as_text(getattr(self, name) if hasattr(self, name) else self.flags[name])
