"""What --overwrite and --output may not touch: folders of other things, and what the run reads."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from app.data.description import DataDescription
from app.data.reading.paths import LOCAL_ADDRESS, REMOTE, expand, is_source, local
from app.errors import InputError
from app.options.experiment import Experiment
from app.options.readers import path
from app.running.run_files import RUN_MARKS, contents, is_prediction, other_run

Named = tuple[str, Path]  # the flag, or the part of the data, and where it leads


def check_overwriting(experiment: Experiment) -> None:
    """InputError where --overwrite would clear a folder that is more than that of a run."""
    if experiment.overwrite and "train" in experiment.stages:
        check_clearing(experiment)


def check_clearing(experiment: Experiment) -> None:
    """Likewise, whatever the stages."""
    folder = experiment.guarded_path
    if not os.path.lexists(folder):
        return
    reason = _place(folder) or _reading(experiment, folder) or _other(folder) or _not_a_run(folder)
    if reason is not None:
        raise InputError(
            f"--overwrite with --save_path={folder}: {reason}; choose a folder for this run alone"
        )


def check_output(experiment: Experiment) -> None:
    """InputError where --output leads nowhere, or to a file that must stay."""
    given = experiment.inference.output
    if given is None or "test" not in experiment.stages:
        return
    target = experiment.prediction
    if not target.parent.is_dir():
        raise InputError(f"--output={given}: there is no folder {target.parent}")
    if target.is_dir():
        raise InputError(f"--output={given}: a folder, expected a file to be written")
    if _within(target, experiment.save_path):
        raise InputError(
            f"--output={given}: lies in --save_path={experiment.save_path}; there a name of its "
            f"own is given by --inference_save_fname={target.name}"
        )
    for name, read in _read(experiment):
        if _real(read) == _real(target):
            raise InputError(f"--output={given}: {name} reads this file; choose another name")
    if target.exists() and not experiment.overwrite and not is_prediction(target):
        raise InputError(
            f"--output={given}: is there already, and nothing that this program wrote; "
            "--overwrite replaces it"
        )


def _place(folder: Path) -> str | None:
    """What else a folder is, judged by where it is."""
    if folder.is_symlink():
        return f"a link to {os.readlink(folder)}, which is not followed"
    real = _real(folder)
    if real == real.parent:
        return "the root of all folders"
    for home in _homes(real):
        if _within(home, real):
            return f"the home folder {home}" if home == real else f"holds the home folder {home}"
    if os.path.lexists(real / ".git"):
        return "the top of a git work tree"
    if _within(Path.cwd(), real) and Path.cwd() != real:
        return "holds the current folder"
    return None


def _homes(folder: Path) -> Iterator[Path]:
    """The user's home, and that of the folder's owner."""
    with suppress(RuntimeError):
        yield _real(Path.home())
    with suppress(KeyError, OSError):
        home = pwd.getpwuid(folder.stat().st_uid).pw_dir
        if home != os.sep:
            yield _real(Path(home))


def _reading(experiment: Experiment, folder: Path) -> str | None:
    for name, read in _read(experiment):
        if os.path.lexists(read) and _within(read, folder):
            return f"holds {read}, which {name} reads"
    return None


def _other(folder: Path) -> str | None:
    inner = other_run(folder)
    if inner is not None:
        return f"holds another run, {inner}"
    links = contents(folder).links
    return f"{links[0]} in it is a link, which is not followed" if links else None


def _not_a_run(folder: Path) -> str | None:
    """Files named as a run's are the user's own, where nothing says that a run was here."""
    own = contents(folder).own
    if not own or any((folder / name).exists() for name in RUN_MARKS):
        return None
    return f"holds {own[0]}, but none of {', '.join(RUN_MARKS)}: no run is known to have been here"


def _read(experiment: Experiment) -> Iterator[Named]:
    """Every file and folder that a run reads."""
    values, inference = experiment.flags, experiment.inference
    for name in (
        *("data_config", "data_module", "observations", "init_from", "model", "temporal_model"),
        *("regression_from", "cache_dir", "stage_to"),
    ):
        if values[name]:
            yield f"--{name}", path(values[name])
    for name, runs in (
        ("ensemble", inference.ensemble),
        ("fold_regressions", experiment.diffusion.fold_regressions),
    ):
        yield from ((f"--{name}", local(run)) for run in runs)
    for name, files in (
        ("--input", inference.input),
        ("--input_reference", inference.input_reference),
        ("--static", tuple(file for source in inference.statics for file in source.files)),
        ("the data description", _files(experiment.data)),
        ("the data description", _files(experiment.test_data)),
    ):
        yield from ((name, read) for file in files for read in _found(file))


def _files(data: DataDescription | None) -> tuple[str, ...]:
    if data is None:
        return ()
    sources = (data.predictand, data.low_resolution, *data.predictors, *data.static)
    return tuple(file for source in sources if source is not None for file in source.files)


def _found(pattern: str) -> Iterator[Path]:
    """A local file as it is named, and what it leads to if it is a glob."""
    pattern = pattern.removeprefix(LOCAL_ADDRESS)
    if is_source(pattern) or REMOTE in pattern:
        return
    yield local(pattern)
    with suppress(InputError):  # what leads to nothing is refused where it is opened
        yield from map(Path, expand([pattern]))


def _within(inner: Path, outer: Path) -> bool:
    """Whether a path lies in a folder, as it is written or where its links lead."""
    written = Path(os.path.abspath(inner))
    return any(one.is_relative_to(_real(outer)) for one in (_real(inner), written)) or (
        written.is_relative_to(os.path.abspath(outer))
    )


def _real(given: Path) -> Path:
    return Path(os.path.realpath(given))
