"""A copy of prepared shards on a node's own disk, made once for all processes of the node."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from absl import logging

from app.data.workplace import POLL, Workplace
from app.errors import InputError, one_line
from app.locks import Heartbeat
from app.room import NoRoom, full, no_room, require

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
        while not place.final.is_dir():
            place.raise_failure()
            work = place.try_lock(beat)
            if work is None:
                time.sleep(POLL)
            else:
                _copy(folder, place, work, beat)
    return place.final


def _copy(folder: Path, place: Workplace, work: Path, beat: Heartbeat) -> None:
    try:
        if place.final.is_dir():
            return  # finished between our look and our lock
        require(place.final, sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()))
        shutil.copytree(folder, work / DATA)
        (work / DATA).rename(place.final)
        logging.info("shards copied to %s", place.final)
    except (OSError, shutil.Error) as error:
        refusal = InputError(f"--stage_to={place.final.parent}: {one_line(error)}")
        told = no_room(place.final) if full(error) else refusal
        place.notify_failure(told)
        raise told from error
    except NoRoom as error:
        place.notify_failure(error)
        raise
    finally:
        place.release(beat, work)
