"""The run folder: which flags made it, where it came from and how far it is."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from absl import logging

from app import plugins
from app.arrays import Json
from app.errors import InputError
from app.integrity.records import Damaged, read_record, write_record
from app.options import FREE_FLAGS, Values, as_flagfile, as_text, kept_values
from app.running.atomic import write_text
from app.running.disk_space import full, no_room
from app.running.hardware import hardware
from app.running.masking import command_line
from app.running.run_files import FLAGFILE, OWN_FILE, contents, remove_own

LOCK = ".lock"
MADE_BY, PLUGINS = "flags_sha256", "plugins"  # keys of provenance.json
NAMED = 5  # files of the user's that are told by name
PACKAGES = (
    *("finescale", "tensorflow", "keras", "horovod", "mpi4py", "openmpi", "numpy", "xarray"),
    "netCDF4",
)


def model_file(path: Path, flag: str) -> Path:
    """The trained model of a run folder, or the file itself; a refusal names the flag."""
    file = path / "model.keras" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{flag}: no trained model at {file}; run the stage train first")
    return file


def flags_digest(flags: Values) -> str:
    """A digest of the flags that say what a run learns."""
    own = sorted((name, as_text(v)) for name, v in flags.items() if name not in FREE_FLAGS)
    return hashlib.sha256(json.dumps(own).encode()).hexdigest()


@dataclass(frozen=True)
class RunFolder:
    """Paths within one run folder, and its small files."""

    path: Path

    @property
    def experiment(self) -> Path:
        return self.path / FLAGFILE

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        return self.checkpoints / "best.keras"

    @property
    def model(self) -> Path:
        return self.path / "model.keras"

    @property
    def history(self) -> Path:
        return self.path / "history.csv"

    @property
    def provenance(self) -> Path:
        return self.path / "provenance.json"

    @property
    def dense_weights(self) -> Path:
        return self.path / "dense_weights.nc"

    @property
    def tensorboard(self) -> Path:
        return self.path / "tensorboard"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics"

    def check(self, flags: Values, overwrite: bool) -> None:
        """Refuse a folder that other flags have made, or flags that are no longer known.

        Where these flags have made it, as provenance.json knows, a damaged flagfile is written
        again.
        """
        if not overwrite and self._flagfile_damaged(flags):
            logging.warning("%s: damaged; written again", self.experiment)
            write_text(self.experiment, as_flagfile(flags))
        if not overwrite and not self.experiment.exists() and self._learnt():
            raise InputError(
                f"--save_path={self.path}: holds {self._learnt()} of a run whose {FLAGFILE} is "
                "missing, so that its flags are not known; put that file back, choose another "
                "folder, or --overwrite to start anew"
            )
        if not overwrite and (other := self.changed_plugins()):
            raise InputError(
                f"--save_path={self.path}: {', '.join(other)} of --plugins has changed since "
                "the training; choose another folder, or --overwrite to start anew"
            )
        changed = [] if overwrite else self.changed_flags(flags)
        if changed:
            raise InputError(
                f"--save_path={self.path}: made with other flags ({', '.join(changed)}); "
                "choose another folder, or --overwrite to start anew"
            )

    def _flagfile_damaged(self, flags: Values) -> bool:
        """Whether the flagfile is not what it was, and these flags are those that made the run."""
        try:
            same = self.experiment.is_file() and not self.changed_flags(flags)
        except InputError:
            same = False
        if same or not self._learnt():
            return False
        try:
            known = read_record(self.provenance, dict) or {}
        except Damaged:
            return False
        return known.get(MADE_BY) == flags_digest(flags)

    def begin(self, flags: Values, overwrite: bool) -> None:
        """Create the folder, anew if it is to be overwritten, and keep the flags in it."""
        if overwrite and (self.experiment.exists() or self._learnt()):
            self.clear(flags)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(self.experiment, as_flagfile(flags))
        except OSError as error:
            if full(error):
                raise no_room(self.experiment) from error
            raise InputError(f"--save_path={self.path}: cannot be written ({error})") from error

    def _learnt(self) -> str:
        """What is there of an earlier training, which a new one would go on with; "" if nothing."""
        steps = self.checkpoints.glob("step-*")
        for path in (self.checkpoints / "last", *steps, self.model, self.history):
            if path.exists():
                return path.relative_to(self.path).as_posix()
        return ""

    def changed_flags(self, flags: Values) -> list[str]:
        """What differs from the flags that made this folder: "name: before → now"."""
        if not self.experiment.exists():
            return []
        before = kept_values(self.experiment)
        return [
            f"{name}: {before[name]} → {value}"
            for name, value in flags.items()
            if name not in FREE_FLAGS and before[name] != value
        ]

    def changed_plugins(self) -> list[str]:
        """Names of the plugins in use that are not as they were when this folder was made."""
        try:
            known = read_record(self.provenance, dict) or {}
        except Damaged:
            return []
        return plugins.changed(known.get(PLUGINS, {}))

    def write_provenance(self, facts: Json) -> None:
        """Versions, commit and host of this run, with the facts given."""
        content = {
            "command": command_line(sys.argv),
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "host": platform.node(),
            "hardware": hardware(),
            "python": platform.python_version(),
            "versions": {name: _version(name) for name in PACKAGES},
            "git_commit": _git_commit(),
            **({PLUGINS: plugins.digests()} if plugins.digests() else {}),
            **facts,
        }
        write_record(self.provenance, content)

    @contextmanager
    def whole_files(self, target: Path, confirm: Callable[[], None]) -> Iterator[Path]:
        """A folder to write to, whose files take the place of those in `target`, all at once.

        They do so when all of them are complete; `confirm` is called before, and may raise. Files
        of `target` that the program has not written stay.
        """
        temporary = self.path / f".{target.name}.{os.getpid()}"
        try:
            temporary.mkdir()
            yield temporary
            confirm()
            target.mkdir(exist_ok=True)
            written = {path.name for path in temporary.iterdir()}
            for path in target.iterdir():
                own = OWN_FILE.fullmatch(path.relative_to(self.path).as_posix())
                if own and path.name not in written:
                    path.unlink()  # of scores that were others
            for name in written:
                os.replace(temporary / name, target / name)
        finally:
            _remove(temporary)

    def clear(self, flags: Values) -> None:
        """Remove what earlier runs have written; name what else is there, and leave it.

        The present run's lock and status stay.
        """
        names = {flags["inference_save_fname"]}
        with contextlib.suppress(InputError):  # of a flagfile that cannot be read
            names.add(kept_values(self.experiment)["inference_save_fname"])
        found = contents(self.path, names - {None})
        remove_own(self.path, found)
        left = [*found.foreign, *found.links]
        if left:
            more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
            logging.warning(
                "--overwrite: not written by this program, and left in %s: %s%s",
                self.path,
                ", ".join(left[:NAMED]),
                more,
            )


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
