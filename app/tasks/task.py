"""What the rest of the program asks of a task. Imports no TensorFlow."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from absl import logging

from app.errors import InputError
from app.inference.already import hashes
from app.inference.writer import history_line
from app.running.masking import command_line

if TYPE_CHECKING:
    import xarray as xr

    from app.data.description import DataDescription
    from app.data.shards import Shards
    from app.data.shards.plan import Plan
    from app.report.record import Record
    from app.session import Session

KIND = "task"  # in the registry
TIME, CHAIN = "time", "chain"  # names there
TEST = "test"  # the split that is predicted and scored


class Evaluation(Protocol):
    """Scores of a prediction."""

    def text(self, *, everything: bool) -> str: ...


class Task(ABC):
    """Plans the data, predicts a record and scores it.

    Training's part, which makes samples of the data, is that of the methods: each has its own.
    """

    takes_instants: ClassVar[bool]  # whether means over time are taken as of an instant

    @abstractmethod
    def plan(self, description: DataDescription, scale: int, halo: int) -> Plan:
        """What is to be prepared of files."""

    @abstractmethod
    def predict(self, session: Session, models: Sequence[Path], path: Path) -> None:
        """Write what the models make of the test period, or of the files under --input."""

    def score(self, session: Session, shards: Shards, path: Path) -> Evaluation | None:
        """Write tables and figures of a prediction of the test period; the ranks share the work.

        The first rank writes, the others return None.
        """
        from app.report.learning import draw_learning_curves

        shards = self.scored_data(session, shards)
        with scores_folder(session, shards.confirm) as out:
            evaluation = self.evaluate(session, shards, path, out)
            if evaluation is not None:
                draw_learning_curves(session.folder.path, out, figure_format(session))
            return evaluation

    def scored_data(self, session: Session, shards: Shards) -> Shards:
        """The data that a prediction is compared with, and that baselines are fitted to."""
        return shards

    @abstractmethod
    def sample(self, shards: Shards) -> xr.Dataset:
        """A few times of the test period as --input takes them. InputError where it cannot."""

    @abstractmethod
    def record(self, session: Session, shards: Shards, path: Path) -> Record:
        """Truth, input and the prediction at `path` of the test period, to be looked at."""

    @abstractmethod
    def evaluate(
        self, session: Session, shards: Shards, path: Path, out: Path
    ) -> Evaluation | None:
        """Score the prediction at `path`, and write tables and figures into a new folder.

        None on all ranks but the first.
        """


@contextmanager
def scores_folder(session: Session, confirm: Callable[[], None]) -> Iterator[Path]:
    """Where the ranks write while they score: the first one what is to be kept.

    Its files appear in the folder of scores when all of them are complete.
    """
    if session.ranks.first:
        with session.folder.whole_files(session.folder.metrics, confirm) as out:
            try:
                yield out
            finally:
                session.exchange.remove()
    else:
        yield session.folder.path


def keep_card(session: Session) -> None:
    """Write the card of the model that this run has trained, with what is known by now."""
    from app.report.card import write_card

    inference, folder = session.experiment.inference, session.folder.path
    if not session.ranks.first or inference.model or inference.ensemble:
        return
    try:
        write_card(folder, session.experiment.flags["license"])
    except InputError as error:
        logging.warning("%s: no model card (%s)", folder, error)


def figure_format(session: Session) -> str:
    """How the names of figures end."""
    return str(session.experiment.flags["figure_format"])


def attributes(models: Sequence[Path], session: Session) -> dict[str, str]:
    """Where predicted fields come from, as attributes of their file."""
    inference = session.experiment.inference
    given = {
        "tiles": inference.tile_size and f"{inference.tile_size}, overlap {inference.tile_overlap}",
        "quantiles": inference.write_quantiles and f"{inference.write_quantiles}",
        "observations": session.experiment.model.observations,
    }
    return {
        "title": "downscaled fields",
        "source": f"finescale {version('finescale')}",
        "model_sha256": hashes(models),
        "seed": str(session.experiment.training.seed),
        "members": f"{inference.members} of each model, written: {inference.write_members}",
        "sampling": f"diffusion models: {inference.sampler}, {inference.sampling_steps} steps, "
        f"eta {inference.ddim_eta}, noise correlation {inference.noise_lag1_correlation}",
        "history": history_line(command_line(sys.argv)),
        **{name: str(value) for name, value in given.items() if value},
    }
