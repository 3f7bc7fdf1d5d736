"""The stages as a guest in somebody else's process, which is left as it was found."""

from __future__ import annotations

import io
import logging
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from typing import Any

import numpy as np

from app import options
from app.errors import InputError, Interrupted, RunError
from app.inference.kept import KeptModels
from app.methods.recipe_choice import as_kept
from app.options import Experiment
from app.ranks import Ranks
from app.running import failure
from app.session import Session
from app.stages.sequence import run_stages

ABSL = "absl"  # the logger that the program speaks through


def run_as_guest(
    stages: Sequence[str],
    given: Mapping[str, Any],
    flagfile: str | None = None,
    verbose: bool = False,
    models: KeptModels | None = None,
) -> Session:
    """Run stages with a flagfile and flags over it, on one rank; return their session.

    `models`: those that earlier calls have loaded.
    Signals are left to the process: Ctrl-C raises KeyboardInterrupt, as it does everywhere.
    Raises InputError for what is refused, RunError for what fails.
    """
    with guest(verbose):
        experiment = experiment_of(stages, {**given, "verbose": verbose}, flagfile)
        session = Session(experiment, Ranks(), models=models)
        session.guard.interruption.leave_signals()
        try:
            run_stages(session)
        except Interrupted as request:
            raise RunError(f"interrupted ({request}); the same call goes on") from None
    return session


def experiment_of(
    stages: Sequence[str], given: Mapping[str, Any], flagfile: str | None = None
) -> Experiment:
    """The experiment of a flagfile and flags over it. Raises InputError for what is refused."""
    arguments = [] if flagfile is None else [f"--flagfile={flagfile}"]
    arguments += [_argument(name, value) for name, value in given.items()]
    with failure.reading_flags():
        values, named = options.parse(arguments)[1], options.assigned_names(arguments)
        return options.build(tuple(stages), as_kept(values, named), named)


def _argument(name: str, value: Any) -> str:
    """A keyword argument as it would stand on the command line."""
    if isinstance(value, Mapping):
        value = [f"{key}:{one}" for key, one in value.items()]
    return f"--{name}={options.as_text(value)}"


@contextmanager
def guest(verbose: bool) -> Iterator[None]:
    """Within it the program speaks and draws; afterwards the process is as it was before."""
    with ExitStack() as exits:
        _speak(exits.callback, verbose)
        if not verbose:
            exits.enter_context(redirect_stdout(io.StringIO()))
        exits.callback(random.setstate, random.getstate())
        exits.callback(np.random.set_state, np.random.get_state())
        if "keras" in sys.modules:
            import keras

            if keras.backend.backend() != "tensorflow":
                raise InputError(
                    f"Keras runs on {keras.backend.backend()} in this process; expected "
                    "KERAS_BACKEND=tensorflow before Keras is imported"
                )
            exits.callback(keras.config.set_dtype_policy, keras.config.dtype_policy())
        yield


def _speak(afterwards: Callable[..., Any], verbose: bool) -> None:
    """Warnings, or all lines, go where the process's own do; to stderr where it has no place."""
    root, logger = logging.getLogger(), logging.getLogger(ABSL)
    if not root.handlers:  # absl would install one that stays
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        root.addHandler(handler)
        afterwards(root.removeHandler, handler)
    afterwards(logger.setLevel, logger.level)
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
