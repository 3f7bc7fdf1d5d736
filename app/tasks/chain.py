"""A model in space and one in time, one behind the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.data.shards.identity import identity_digest
from app.inference.already import DATA_DIGEST
from app.running.run_files import refined_name
from app.running.run_folder import model_file
from app.tasks.space import SpaceTask
from app.tasks.task import attributes
from app.tasks.time import fill_in, known_rows

if TYPE_CHECKING:
    from app.session import Session


class SpaceThenTime(SpaceTask):
    """Known frames are refined first, into a file of their own; then the times between are filled.

    `--temporal_model` names the model in time.
    """

    def predict(self, session: Session, models: Sequence[Path], path: Path) -> None:
        given = str(session.experiment.inference.temporal_model)
        in_time = model_file(Path(given).expanduser(), f"--temporal_model={given}")
        refined = session.folder.path / refined_name(path.name)
        own = not session.experiment.inference.input
        self.refine(session, models, refined, known_rows(session, in_time) if own else None)
        told = attributes([*models, in_time], session)
        if own:
            told[DATA_DIGEST] = identity_digest(session.shards)
        fill_in(session, in_time, path, told, (str(refined),))
