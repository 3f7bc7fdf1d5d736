"""A copy of prepared shards on a node's own disk, made once for all processes of the node."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from absl import logging

from app.data.shards.manifest import check_content, check_folder, finished, set_aside
from app.data.shards.workplace import POLL, Workplace
from app.errors import InputError, one_line
from app.running.disk_space import NoRoom, full, no_room, require
from app.running.locks import Heartbeat

DATA = "data"  # folder within the work folder


def staged(folder: Path, target: Path) -> Path:
    """The copy of `folder` in `target`, made by whoever comes first; the others wait for it.

    InputError where it cannot be made, here or by the process waited for.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--stage_to={target}: cannot be made ({error.strerror})") from error
    place = Workplace(target, folder.name)
    with Heartbeat() as beat:
        while not finished(place.final):
            place.raise_failure()
            work = place.try_lock(beat)
            if work is None:
                time.sleep(POLL)
            else:
                _copy(folder, place, work, beat)
    return place.final


def _refuse_damaged(folder: Path, copy: Path) -> None:
    """InputError where what was copied is not what was prepared: it would be copied again."""
    try:
        for name, entry in check_folder(copy)["files"].items():
            check_content(copy, name, entry)
    except InputError as error:
        set_aside(folder)
        raise InputError(str(error).replace(str(copy), str(folder))) from error


def _copy(folder: Path, place: Workplace, work: Path, beat: Heartbeat) -> None:
    try:
        if finished(place.final):
            return  # between our look and our lock
        if place.final.is_dir():
            logging.warning("%s: damaged; copying it again", place.final)
            place.final.rename(work / "damaged")
        require(place.final, sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()))
        shutil.copytree(folder, work / DATA)
        _refuse_damaged(folder, work / DATA)
        (work / DATA).rename(place.final)
        logging.info("shards copied to %s", place.final)
    except (InputError, NoRoom) as error:
        place.notify_failure(error)
        raise
    except (OSError, shutil.Error) as error:
        refusal = InputError(f"--stage_to={place.final.parent}: {one_line(error)}")
        told = no_room(place.final) if full(error) else refusal
        place.notify_failure(told)
        raise told from error
    finally:
        place.release(beat, work)
