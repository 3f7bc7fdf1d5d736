"""Parse the command line, run the stages, and turn errors into exit codes.

0: all done. 1: failed. 2: refused, nothing was begun. 3: interrupted by a signal, a file STOP or
the end of the time allowed; the same command goes on. horovodrun turns every code into 1: what
happened stands in status.json of the run folder.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Sequence
from functools import partial
from importlib import import_module, metadata
from logging import LogRecord

from absl import flags as absl_flags
from absl import logging

from app import options
from app.distributed.open_mpi import remove_dead_sessions
from app.errors import InputError, Interrupted, Regroup
from app.exit_codes import FAILED, INTERRUPTED, OK, REFUSED, UNREAD
from app.methods.recipe_choice import as_kept
from app.options.words import COMMANDS
from app.ranks import Ranks
from app.running import failure, streams
from app.running.locks import give_back_all
from app.running.masking import masked
from app.running.progress import leave_terminal
from app.session import Session
from app.stages.sequence import only_looks, run_stages
from app.usage import short_usage, usage

LOG_TIME = "%Y-%m-%d %H:%M:%S"  # of lines in a log that is no terminal


def main(argv: Sequence[str]) -> int:
    """Run one command line (without the program's name); return its exit code."""
    ranks, session = Ranks(), None
    show_traceback = any(a.lstrip("-").startswith("debug_traceback") for a in argv)
    try:
        if (text := _told_instead(argv)) is not None:
            print(text)
            return _shown()
        with failure.reading_flags():
            ranks = Ranks.from_environment()
            words, values = options.parse(argv)
            show_traceback = show_traceback or values["debug_traceback"]
            command = words[0] if words and words[0] in COMMANDS else ""
            if "sweep" in words and not command:
                sweep = options.build_sweep(words, values, argv)
            elif not command:
                given = options.assigned_names(argv)
                experiment = options.build(words, as_kept(values, given), given)
        _set_up_logging(values["verbose"], ranks)
        if command:
            with failure.within(command):
                import_module(f"app.stages.{command}").run(words[1:], values, argv, ranks)
            return _shown()
        if "sweep" in words:
            with failure.within("sweep"):
                import_module("app.stages.sweep").run(sweep, ranks)
            return OK
        if ranks.elastic:
            _run_elastically(experiment, ranks)
            return OK
        session = Session(experiment, ranks)
        _run_stages(session)
    except Exception as error:
        if show_traceback:
            traceback.print_exc()
        text = str(error) if isinstance(error, failure.FORESEEN) else failure.told(error)
        give_back_all()
        _report(text, ranks)
        return _left(session, REFUSED if isinstance(error, InputError) else FAILED, text)
    except (Interrupted, KeyboardInterrupt) as request:
        _report_interruption(str(request) or "keyboard", ranks)
        return _left(session, INTERRUPTED)
    return _left(session, _shown() if only_looks(session) else OK)


def _told_instead(argv: Sequence[str]) -> str | None:
    """What --help, --help=SECTION, --version or nothing at all asks for; nothing is run then."""
    if not argv:
        return short_usage()
    for argument in argv:
        name, _, section = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name in ("help", "h", "helpfull"):
            return options.help_text(
                usage(), options.ALL if name == "helpfull" else section.lower()
            )
        if argument == "--version":
            return f"finescale {metadata.version('finescale')}"
    return None


def _shown() -> int:
    """Exit code of what was but printed: whether anybody, or a file, has taken it."""
    lost = streams.failure(sys.stdout)
    if lost is None:
        return OK
    if streams.unread(lost):
        return UNREAD
    print(f"finescale: standard output: {lost.strerror}", file=sys.stderr)
    return FAILED


def _left(session: Session | None, code: int, reason: str = "") -> int:
    if session is not None:
        session.leave(code, " ".join(reason.split()))
    return code


def _run_stages(session: Session) -> None:
    session.guard.interruption.ending = partial(_end_at_once, session)
    if session.ranks.launcher == "mpirun" and session.ranks.local_rank == 0:
        remove_dead_sessions()
    run_stages(session)


def _end_at_once(session: Session, reason: str) -> None:
    """End this process from whatever thread, as its main thread may be anywhere."""
    try:
        session.guard.interrupt(reason)
        leave_terminal()
        _report_interruption(reason, session.ranks)
        session.leave(INTERRUPTED)
        sys.stdout.flush()
    finally:
        os._exit(INTERRUPTED)


def _run_elastically(experiment: options.Experiment, ranks: Ranks) -> None:
    """The stages on ranks that come and go, from the start whenever they have changed."""
    from app import backend
    from app.distributed import elastic

    elastic.check(experiment)
    machine, seed = experiment.machine, experiment.training.seed
    backend.start(machine, ranks, machine.threads or elastic.threads(ranks), seed)

    def attempt(communicator: elastic.ElasticCommunicator) -> None:
        now = communicator.ranks
        _set_up_logging(experiment.flags["verbose"], now)
        backend.clear(seed)
        session = Session(experiment, now, joined=communicator)
        try:
            _run_stages(session)
        except Regroup:
            session.guard.interruption.check()
            raise

    elastic.run(attempt, experiment.launch.rank_timeout)


def _set_up_logging(verbose: bool, ranks: Ranks) -> None:
    """The first rank speaks; the others only when something is wrong."""
    absl_flags.FLAGS.mark_as_parsed()  # absl warns until its own flags, unused here, are
    logging.use_absl_handler()
    logging.set_verbosity(logging.INFO if verbose and ranks.first else logging.ERROR)
    logging.get_absl_handler().setFormatter(_Plain(stamped=not sys.stderr.isatty()))
    logging.set_stderrthreshold("debug")


class _Plain(logging.PythonFormatter):
    """The message alone, in a file behind its time; warnings and errors say what they are."""

    def __init__(self, stamped: bool = False) -> None:
        super().__init__()
        self._stamped = stamped

    def format(self, record: LogRecord) -> str:
        text = masked(record.getMessage())
        if record.levelname != "INFO":
            text = f"{record.levelname.lower()}: {text}"
        if not self._stamped:
            return text
        return f"{time.strftime(LOG_TIME, time.localtime(record.created))} {text}"


def _report_interruption(reason: str, ranks: Ranks) -> None:
    _report(f"interrupted ({reason}); the same command goes on", ranks)


def _report(text: str, ranks: Ranks) -> None:
    where = f"rank {ranks.rank}: " if ranks.size > 1 else ""
    if ranks.elastic:  # whose number may be another by now
        where = f"{os.environ.get('HOROVOD_HOSTNAME')}[{ranks.local_rank}]: "
    print(f"finescale: {where}{' '.join(masked(text).split())}", file=sys.stderr)
