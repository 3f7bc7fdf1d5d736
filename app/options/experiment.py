"""The experiment and the sweep as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.data.description import DataDescription
from app.errors import InputError
from app.methods.method import Method, method_named
from app.options.model import DiffusionConfig, ModelConfig, StackConfig, TemporalConfig
from app.options.training import SamplingConfig, TrainingConfig, TransferConfig
from app.options.use import InferenceConfig, LaunchConfig, MachineConfig
from app.options.values import path
from app.running.run_files import PREDICTION


@dataclass(frozen=True)
class Experiment:
    """One experiment; `flags` are the resolved values, kept for the run folder.

    test_data: what is predicted and scored, where that is not `data`.
    """

    stages: tuple[str, ...]
    save_path: Path
    cache_dir: Path
    stage_to: Path | None
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
    overwrite: bool
    accept_changed_data: bool
    verify: str
    flags: dict[str, Any]

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

    runs: tuple[Path, ...] = ()  # whose status is wanted

    @property
    def in_time(self) -> bool:
        """Whether the run downscales in time instead of in space."""
        return self.method.abilities.in_time


@dataclass(frozen=True)
class SweepConfig:
    """A sweep: its folder, what its members share, and how they are run.

    spec: text of --sweep. shared: the command line that all members have in common;
    given_flags: the flags named in it.
    """

    save_path: Path
    spec: str | None
    stages: tuple[str, ...]
    shared: tuple[str, ...]
    given_flags: frozenset[str]
    jobs: int
    threads: int | None
    submit: bool
    sbatch_options: str
    dry_run: bool
    collect: bool
    overwrite: bool

    def __post_init__(self) -> None:
        if self.collect == bool(self.spec):
            raise InputError(
                "sweep: expected --sweep='FLAG=VALUE,VALUE;…' or --sweep=FILE.yml to run one, or "
                "--collect to read what has run"
            )
        if self.sbatch_options and not self.submit:
            raise InputError("--sbatch_options without --submit: nothing is given to sbatch")
