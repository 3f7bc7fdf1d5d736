"""The experiment as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from app.data.description import DataDescription, ScoredFiles
from app.options.chosen import method_named
from app.options.data import CacheOptions
from app.options.diffusion import DiffusionConfig
from app.options.inference import InferenceConfig
from app.options.machine import LaunchConfig, MachineConfig
from app.options.network import ModelConfig
from app.options.option import Values, as_text
from app.options.readers import path
from app.options.run import FolderOptions
from app.options.sampling import SamplingConfig, StepOptions
from app.options.scoring import ScoringConfig
from app.options.stack import StackConfig
from app.options.temporal import TemporalConfig
from app.options.training import TrainingConfig, TransferConfig
from app.running.run_files import PREDICTION

if TYPE_CHECKING:
    from app.data.shards import Shards


class Chosen(Protocol):
    """The part of a training method's contract that is asked below it, see `app.methods.method`."""

    task: str
    abilities: Any

    def resolve(self, values: Values) -> Values: ...

    def refuse(self, experiment: Experiment) -> None: ...

    def described(self, data: DataDescription, asked: StepOptions) -> DataDescription: ...

    def guarded_path(self, experiment: Experiment) -> Path: ...

    def notes(self, shards: Shards) -> Iterator[str]: ...

    def kept_values(self, experiment: Experiment, coarse: int, fine: int) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Experiment(FolderOptions, CacheOptions):
    """One experiment; `flags` are the values of all flags, kept for the run folder.

    test_data: what is predicted and scored, where that is not `data`.
    scored: files that the stage metrics compares, instead of a run's prediction with its data.
    status_of: folders whose status is wanted.
    given: flags that the user has named; None where that is not known, and no recipe is followed.
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
    scoring: ScoringConfig
    machine: MachineConfig
    launch: LaunchConfig
    flags: Values
    scored: ScoredFiles | None = None
    status_of: tuple[Path, ...] = ()
    given: frozenset[str] | None = None

    @property
    def method(self) -> Chosen:
        """How the model is trained, as far as flags are concerned."""
        found: Chosen = method_named(self.training.trainer)
        return found

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
