"""Errors that nobody has foreseen, as one line that a user can read and report."""

from __future__ import annotations

import re
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import plugins
from app.errors import InputError, Interrupted, Regroup, RunError, one_line
from app.running.disk_space import full

if TYPE_CHECKING:
    from app.options import SamplingConfig

FORESEEN = (InputError, RunError, Regroup, Interrupted)
BATCHED = {"train", "test"}  # stages whose memory grows with the batch
GRAPH_NODE = re.compile(r"\{\{[^}]*\}\}\s*")  # how TensorFlow begins its messages
HINT = "--debug_traceback shows where from"


@contextmanager
def within(stage: str, sampling: SamplingConfig | None = None) -> Iterator[None]:
    """Turns an error that is not foreseen into a RunError that names the stage.

    Raises RunError from whatever a library raises, and InputError, with its line, from what fails
    in a plugin; what is foreseen passes.
    """
    try:
        yield
    except FORESEEN:
        raise
    except (Exception, SystemExit) as error:
        if (place := plugins.place(error)) is not None:
            what = f"{plugins.described(error)} (stage {stage}; {HINT})"
            raise InputError(f"--plugins: {place}: {what}") from error
        raise RunError(f"stage {stage}: {told(error, stage, sampling)}") from error


@contextmanager
def reading_flags() -> Iterator[None]:
    """Likewise while flags are read, where nothing has begun: InputError."""
    try:
        yield
    except FORESEEN:
        raise
    except Exception as error:
        raise InputError(f"flags: {told(error)}") from error


def told(error: BaseException, stage: str = "", sampling: SamplingConfig | None = None) -> str:
    """What happened, in the error's own words, and where in this program."""
    name, text = type(error).__name__, GRAPH_NODE.sub("", one_line(error))
    if full(error):
        return f"{_named(error)}no space left on the file system ({text})"
    if isinstance(error, MemoryError) or name == "ResourceExhaustedError":
        return f"out of memory ({text}){_smaller(stage, sampling)}"
    if not (isinstance(error, OSError) or text.startswith(name)):
        text = f"{name}: {text}"
    notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
    return f"{text}{notes} ({_place(error)}{HINT})"


def _named(error: BaseException) -> str:
    """The file that an error names, for the beginning of a line."""
    name = getattr(error, "filename", None)
    return f"{name}: " if name else ""


def hear_threads() -> None:
    """Errors of threads and of objects' ends come as one line each, as no caller takes them."""
    threading.excepthook = _thread_failed
    sys.unraisablehook = _end_failed


def _smaller(stage: str, sampling: SamplingConfig | None) -> str:
    if stage not in BATCHED or sampling is None:
        return ""
    return (
        f"; --batch_size={sampling.batch_size} and the network need more than there is: make "
        "--batch_size, --patch_size, --n_filters or --n_blocks smaller"
    )


def _place(error: BaseException) -> str:
    """The last line of this program that the error passed: `app/data/shards/plan.py:33, `."""
    home = Path(__file__).resolve().parents[1]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(home)]
    if not own:
        return ""
    return f"{Path(own[-1].filename).relative_to(home.parent)}:{own[-1].lineno}, "


def _thread_failed(args: Any) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        name = args.thread.name if args.thread else "?"
        print(f"finescale: thread {name}: {told(args.exc_value)}", file=sys.stderr)


def _end_failed(args: Any) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, BrokenPipeError):
        print(f"finescale: on clean-up: {told(args.exc_value)}", file=sys.stderr)
