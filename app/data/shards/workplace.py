"""Work on one folder shared by processes that meet nowhere but in the file system.

A lock per folder has one owner; others help by claiming tasks, or wait.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from app.errors import InputError, one_line
from app.ranks import job_name
from app.running.atomic import read_json, write_json
from app.running.disk_space import NoRoom, full, no_room
from app.running.locks import Heartbeat, LockWatch, give_back, hold, remove_judged
from app.running.owners import owner

POLL = 0.1  # seconds


class Workplace:
    """Lock, work folder and failure notice of one folder to be made in `cache`."""

    def __init__(self, cache: Path, name: str) -> None:
        self.final = cache / name
        self._cache = cache
        self._name = name
        self._lock = cache / f".{name}.lock"
        self._notice = cache / f".{name}.failed"
        self._watch = LockWatch()
        self._old_notice = self._notice_time()

    def try_lock(self, beat: Heartbeat) -> Path | None:
        """The new work folder if the lock is ours now; an abandoned lock is taken over."""
        if self._watch.abandoned(self._lock):
            remove_judged(self._lock, read_json(self._lock))
        me = owner()
        folder = self._cache / f".{self._name}.{me['token']}"
        try:
            if not hold(self._lock, {**me, "folder": folder.name}):
                return None
        except OSError as error:
            if full(error):
                raise no_room(self._lock) from error
            raise
        beat.add(self._lock)
        self._notice.unlink(missing_ok=True)
        for leftover in self._cache.glob(f".{self._name}.*/"):
            shutil.rmtree(leftover, ignore_errors=True)
        folder.mkdir()
        return folder

    def release(self, beat: Heartbeat, folder: Path) -> None:
        """Give the lock back, and drop the work folder."""
        gone = folder.with_name(f"{folder.name}.gone")
        with contextlib.suppress(OSError):  # gone already if we were taken for dead
            folder.rename(gone)  # in one step, so that no helper claims in what is left
        shutil.rmtree(gone, ignore_errors=True)
        beat.drop(self._lock)
        give_back(self._lock)

    def work_folder(self) -> Path | None:
        """Where the lock's owner works, if there is one."""
        content = read_json(self._lock)
        return self._cache / str(content["folder"]) if content and "folder" in content else None

    def sign_of_life(self) -> tuple[str, int] | None:
        """Changes while the lock's owner lives."""
        try:
            touched = self._lock.stat().st_mtime_ns
        except OSError:
            return None
        return str(self.work_folder()), touched

    def notify_failure(self, error: BaseException) -> None:
        """Let those who wait fail for the same reason, if there is room to tell it."""
        content = {"message": one_line(error), "full": full(error), "job": job_name()}
        with contextlib.suppress(OSError, NoRoom):
            write_json(self._notice, content)

    def raise_failure(self) -> None:
        """InputError, or NoRoom, if the work failed while we waited, or earlier in our own job."""
        content = read_json(self._notice)
        if content is None:
            return
        ours = content.get("job") is not None and content["job"] == job_name()
        if ours or self._notice_time() != self._old_notice:
            raise (NoRoom if content.get("full") else InputError)(str(content["message"]))

    def _notice_time(self) -> int | None:
        try:
            return self._notice.stat().st_mtime_ns
        except OSError:
            return None
