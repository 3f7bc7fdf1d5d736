"""Where everything of a submission lies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.cordex import protocol


@dataclass(frozen=True)
class Task:
    """One model: a domain, an experiment, a target."""

    domain: str
    experiment: str
    target: str

    @property
    def name(self) -> str:
        return f"{self.domain}_{self.experiment}_{self.target}"


@dataclass(frozen=True)
class Places:
    """Folders and files below the one of --submission."""

    folder: Path

    @property
    def name(self) -> str:
        """The name of the submission."""
        return self.folder.resolve().name

    @property
    def predictions(self) -> Path:
        """What is packed."""
        return self.folder / "predictions"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def work(self) -> Path:
        """Fields of each target, until both are in one file."""
        return self.folder / "work"

    @property
    def scores(self) -> Path:
        return self.folder / "scores"

    @property
    def script(self) -> Path:
        """The job array that trains."""
        return self.folder / "train.sbatch"

    @property
    def times(self) -> Path:
        """Seconds that each prediction took."""
        return self.folder / "seconds.json"

    @property
    def sheet(self) -> Path:
        """Hardware, training and inference of all models."""
        return self.folder / "costs.csv"

    @property
    def archive(self) -> Path:
        return self.folder / f"{self.name}.zip"

    def description(self, task: Task) -> Path:
        return self.folder / "experiments" / f"{task.name}.yml"

    def flagfile(self, task: Task) -> Path:
        return self.folder / "experiments" / f"{task.name}.cfg"

    def run(self, task: Task) -> Path:
        return self.folder / "runs" / task.name


def tasks_of(domains: tuple[str, ...], experiments: tuple[str, ...]) -> tuple[Task, ...]:
    """All models that are needed."""
    return tuple(
        Task(domain, experiment, target)
        for domain in domains
        for experiment in experiments
        for target in protocol.TARGETS
    )
