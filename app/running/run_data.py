"""The data are a part of what a run is: going on with others is refused, or written down."""

from __future__ import annotations

from collections.abc import Callable

from app.arrays import Json
from app.data.shards import Shards
from app.data.shards.identity import changes, identity_of, truth_changes
from app.errors import InputError
from app.integrity.records import Damaged, read_record, write_record
from app.running.run_folder import RunFolder

NOW, BEFORE, USED = "data", "data_before", "data_accepted"  # keys of provenance.json
NAMED = 4  # changes that are told by name


def check_same_data(folder: RunFolder, shards: Shards, accepted: bool) -> bool:
    """Whether the data are those that a run was trained on; InputError where they are not.

    accepted: changes are, and only told of by the result.
    """
    return _check(folder, shards, accepted, changes)


def check_same_truth(folder: RunFolder, shards: Shards, accepted: bool) -> bool:
    """Likewise of data in other pairs than those of the training."""
    return _check(folder, shards, accepted, truth_changes)


def known_fingerprint(folder: RunFolder) -> str | None:
    """The fingerprint of the data that a run was trained on; None where it is not known."""
    return _known(folder).get("data_fingerprint")


def _check(
    folder: RunFolder,
    shards: Shards,
    accepted: bool,
    compare: Callable[[Json, Json], list[str]],
) -> bool:
    if not _trained(folder):
        return True
    before = _known(folder, accepted).get(NOW)
    if before is None:
        return True
    now = identity_of(shards)
    try:
        found = compare(before, now)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise InputError(
            f"{folder.provenance}: damaged, it does not say which data the run was trained on; "
            "--overwrite starts anew"
        ) from error
    if not found or accepted:
        return not found
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    raise InputError(
        f"--save_path={folder.path}: the data have changed since it was trained: "
        f"{'; '.join(found[:NAMED])}{more}. --accept_changed_data goes on with them, "
        "--overwrite starts anew"
    )


def facts_of_data(folder: RunFolder, shards: Shards) -> Json:
    """What provenance.json keeps of the data, with those of earlier calls that were others."""
    known, now = _known(folder, accepted=True), identity_of(shards)
    last = [known[NOW]] if NOW in known and _trained(folder) else []
    before = [one for one in (*known.get(BEFORE, []), *last) if not _same(one, now)]
    kept = {BEFORE: before, USED: known.get(USED, [])}
    return {
        "data_fingerprint": shards.fingerprint,
        NOW: now,
        **{name: content for name, content in kept.items() if content},
    }


def note_accepted(folder: RunFolder, shards: Shards, stage: str) -> None:
    """Keep in provenance.json the data that a trained model was used on instead of its own."""
    known = _known(folder, accepted=True)
    entry = {"stage": stage, **identity_of(shards)}
    if entry not in known.get(USED, []):
        write_record(folder.provenance, {**known, USED: [*known.get(USED, []), entry]})


def _trained(folder: RunFolder) -> bool:
    """Whether anything has been learnt there."""
    return (folder.checkpoints / "last").is_file() or folder.model.is_file()


def _known(folder: RunFolder, accepted: bool = False) -> Json:
    """What provenance.json says; InputError where it is damaged, unless that is accepted."""
    hint = (
        "it tells which data the run was trained on; if they are still the same, "
        "--accept_changed_data goes on, --overwrite starts anew"
    )
    try:
        return read_record(folder.provenance, dict, hint) or {}
    except Damaged:
        if accepted:
            return {}
        raise


def _same(one: Json, other: Json) -> bool:
    """Whether two data are the same but for where they lie."""
    return {**one, "fingerprint": ""} == {**other, "fingerprint": ""}
