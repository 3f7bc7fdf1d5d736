"""Going on with other data than a run was trained on is refused."""

from __future__ import annotations

from absl import logging

from app.errors import InputError
from app.running.run_data import check_same_data, check_same_truth, known_fingerprint, note_accepted
from app.running.run_folder import RunFolder
from app.session import Session


def refuse_changed_data(session: Session, stage: str) -> None:
    """InputError where a run's own model meets other data than it was trained on.

    With --accept_changed_data they are written down in the run folder instead.
    """
    experiment, inference = session.experiment, session.experiment.inference
    others = inference.model or inference.ensemble or inference.input
    if others or experiment.data is None:
        return
    for name in session.folder.changed_plugins():
        logging.warning("--plugins: %s has changed since %s was trained", name, session.folder.path)
    other_pairs = session.for_test is not session
    check = check_same_truth if other_pairs else check_same_data
    shards = session.for_test.shards
    same = check(session.folder, shards, experiment.accept_changed_data)
    if not same and session.ranks.first:
        note_accepted(session.folder, shards, stage)


def refuse_changed_data_of(session: Session, folder: RunFolder) -> None:
    """Likewise where nothing is left to train: the data are opened only if they look changed."""
    from app.data.shards.prepare import folder_name

    sampling = session.experiment.sampling
    try:
        name = folder_name(session.description, sampling.scale, sampling.halo)
    except InputError as error:
        logging.warning("the data cannot be looked at (%s)", error)
        return
    if known_fingerprint(folder) not in (None, name):
        refuse_changed_data(session, "train")
