"""What a run folder holds before its training starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.data.shards import Shards
from app.inference.correction import CLIMATE, write_input_climate
from app.running.run_data import facts_of_data
from app.running.run_folder import MADE_BY, flags_digest

if TYPE_CHECKING:
    from app.session import Session


def begin_run(session: Session, shards: Shards, model: Any, *, overwrite: bool) -> None:
    """Keep the flags, where the run comes from and the climate of its inputs; for one rank."""
    experiment, folder, ranks = session.experiment, session.folder, session.ranks
    folder.begin(experiment.flags, overwrite)
    folder.write_provenance(
        {
            "ranks": ranks.size,
            "launcher": ranks.launcher,
            "seed": experiment.training.seed,
            MADE_BY: flags_digest(experiment.flags),
            "parameters": model.network.count_params(),
            **facts_of_data(folder, session.shards),
        }
    )
    if shards.has_times and not experiment.in_time:
        write_input_climate(folder.path / CLIMATE, shards)
