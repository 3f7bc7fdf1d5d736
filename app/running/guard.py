"""What surrounds the stages of one command in a run folder: its lock, its status, its end."""

from __future__ import annotations

import contextlib
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from absl import logging

from app.errors import InputError, Interrupted, Regroup, RunError, one_line
from app.options import Experiment
from app.ranks import Ranks
from app.running.disk_space import full, no_room
from app.running.interruption import Interruption, deadline
from app.running.locks import Heartbeat, RunLock, give_back_all
from app.running.run_files import remove_leftovers
from app.running.run_folder import LOCK
from app.running.status import FAILED, FINISHED, INTERRUPTED, Status


class Guard:
    """Entered around the stages that write to a run folder; the first rank acts for all."""

    def __init__(self, experiment: Experiment, ranks: Ranks) -> None:
        self._folder = experiment.guarded_path
        self._prediction = experiment.prediction
        self._stages = experiment.stages
        self._time_limit = experiment.machine.time_limit
        self._first = ranks.first
        self._lock = RunLock(self._folder / LOCK)
        self._output_lock = _lock_of_output(experiment)
        self._created: list[Path] = []
        self._exits = ExitStack()
        self.status = Status(self._folder, writes=False)
        self.interruption = Interruption(
            self._folder, several=ranks.size > 1 and not ranks.elastic, elastic=ranks.elastic
        )

    def __enter__(self) -> Guard:
        if self._first:
            self._take()
            self.interruption.ends(deadline(self._time_limit))
        else:
            self._lock.check()
        self._exits.enter_context(self.interruption)
        return self

    def begin(self, stage: str) -> None:
        """The next stage begins, unless the run was asked to stop."""
        self.check_folder()
        self.interruption.check()
        self.status.begin(stage, self._stages)

    def check_folder(self) -> None:
        """RunError where the run folder was removed, or given to another job, beneath this one."""
        if self._first and not self._lock.held:
            raise RunError(
                f"--save_path={self._folder}: the folder was removed, or another job has taken "
                f"it, while this one was at work ({self._lock.path.name} is no longer its own)"
            )

    def look(self) -> None:
        """For a stage that ends by itself where its state is whole: keep the status fresh, and
        raise Interrupted if the run was asked to stop."""
        if self.status.due:
            self.check_folder()
            self.status.update()
        self.interruption.spread()
        self.interruption.check()

    def fail(self, reason: str) -> None:
        """The last word where the process is about to end without leaving this guard."""
        self.status.end(FAILED, error=reason)
        give_back_all()

    def interrupt(self, reason: str) -> None:
        """Likewise, where it was asked to."""
        self.status.end(INTERRUPTED, reason=reason)
        give_back_all()
        self._remove_what_is_empty()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self.interruption.deferred():
            if self._first:
                self._conclude(error)
            for lock in self._locks:
                lock.release()
            self._remove_what_is_empty()
            self._exits.close()

    def _take(self) -> None:
        """The lock, in a folder that is made where it is missing."""
        missing = [p for p in (self._folder, *self._folder.parents) if not p.exists()]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._created = missing
            for lock in self._locks:
                lock.take()
        except (OSError, ValueError, InputError) as error:
            self._lock.release()
            self._remove_what_is_empty()
            if isinstance(error, InputError):
                raise
            if full(error):
                lacking = no_room(self._lock.path)
                Status(self._folder).end(FAILED, error=str(lacking))
                raise lacking from error
            raise InputError(f"--save_path={self._folder}: cannot be written ({error})") from error
        self.interruption.clear_leftover()
        remove_leftovers(self._folder, (self._prediction.name,))
        self.status = Status(self._folder)
        beat = self._exits.enter_context(Heartbeat())
        for lock in self._locks:
            beat.add(lock.path)

    @property
    def _locks(self) -> list[RunLock]:
        return [self._lock] if self._output_lock is None else [self._lock, self._output_lock]

    def _conclude(self, error: BaseException | None) -> None:
        """The last status; a refusal before anything has begun leaves that of earlier calls."""
        if error is None:
            self.status.end(FINISHED)
        elif isinstance(error, Regroup):
            logging.info("ranks come or go: %s", error)
        elif isinstance(error, (Interrupted, KeyboardInterrupt)):
            self.status.end(INTERRUPTED, reason=str(error) or "keyboard")
        elif isinstance(error, InputError) and not self.status.progressed:
            self.status.withdraw()
        else:
            self.status.end(FAILED, error=one_line(error))

    def _remove_what_is_empty(self) -> None:
        for folder in self._created:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _lock_of_output(experiment: Experiment) -> RunLock | None:
    """The lock of a prediction outside of the run folder, where this command writes one."""
    given = experiment.inference.output
    if given is None or "test" not in experiment.stages:
        return None
    path = experiment.prediction
    return RunLock(path.with_name(f".{path.name}.lock"), named=f"--output={given}")
