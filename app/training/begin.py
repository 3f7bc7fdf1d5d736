"""What a run folder holds before its training starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.running.run_data import facts_of_data
from app.running.run_folder import MADE_BY, flags_digest

if TYPE_CHECKING:
    from app.session import Session


def begin_run(session: Session, model: Any, *, overwrite: bool) -> None:
    """Keep the flags and where the run comes from; for one rank."""
    experiment, folder, ranks = session.experiment, session.folder, session.ranks
    folder.begin(experiment.flags, overwrite)
    folder.write_provenance(
        {
            "ranks": ranks.size,
            "launcher": ranks.launcher,
            "threads": session.threads,
            "seed": experiment.training.seed,
            MADE_BY: flags_digest(experiment.flags),
            "parameters": model.network.count_params(),
            **facts_of_data(folder, session.shards),
        }
    )
