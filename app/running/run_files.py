"""Which files of a run folder the program has written: --overwrite removes those and no others."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import InputError
from app.integrity.trailer import is_sealed

FLAGFILE = "experiment.cfg"
PREDICTION = "y_hat.nc"
SOURCE = "finescale"  # how the attribute `source` of predicted fields begins
MEMBER_FLAGFILE = "member.cfg"  # what a sweep puts into the folder of a member
MEMBER = (MEMBER_FLAGFILE, "finished.cfg", "exit_code", "log.txt")
RUN_MARKS = (FLAGFILE, "provenance.json", MEMBER_FLAGFILE)  # what tells a run's folder
PRESENT = frozenset({"status.json", ".lock", ".launch"})  # of calls that may be at work
FIELDS = ("dense_weights.nc", "input_climate.nc")
REPORT, CARD, CARD_FACTS = "report.html", "MODEL.md", "model.json"
PAGES = (REPORT, CARD, CARD_FACTS)  # for readers
FIGURES = (
    *("maps", "rmse_map", "scores", "spectra", "rank_histogram", "members", "wet_reliability"),
    *("bins", "restoration", "by_hour", "spectrum_in_time", "learning_curve"),
)
IN_CHECKPOINT = ("arrays.npz", "facts.json")
STEPS = re.compile(r"step-\d+\+*")
STAGE = r"(stages/stage_\d+/)?"
STEP = STEPS.pattern
# Folders that are filled before they take their names, and files likewise: .NAME.PID.
HIDDEN_FOLDER = rf"{STAGE}(\.metrics|checkpoints/\.{STEP})\.\d+"
ROOT_FILES = "|".join(
    map(re.escape, (FLAGFILE, "provenance.json", "history.csv", "model.keras", *FIELDS, *PAGES))
)
IN_METRICS = "|".join(
    (
        r"summary\.(csv|txt|md|tex)|verdict\.json|(gridpoint|samples|bins)\.nc",
        r"(bins|quantiles|qq|by_hour|strata|definitions|comparisons|cordex_ml_bench)\.csv",
        r"(cycles|change)\.csv",
        r"(spectra|season_spectra|spectrum_in_time|time_spectrum)\.csv",
        r"(rank_histogram|reliability|wet_reliability)\.csv|comparisons\.json",
        rf"({'|'.join(FIGURES)})(_[^/]+)?\.(png|pdf|svg)|animation(_[^/]+)?\.gif",
    )
)
OWN_FOLDER = re.compile(
    rf"stages|stages/stage_\d+|{STAGE}(checkpoints|checkpoints/{STEP}|tensorboard|metrics)"
    rf"|{HIDDEN_FOLDER}"
)
# What a killed run leaves of files that it was writing.
LEFTOVER = re.compile(
    "|".join(
        (
            rf"{STAGE}\.({ROOT_FILES}|status\.json)\.\d+|stages/\.joined\.json\.\d+",
            rf"{STAGE}(checkpoints/\.(last\.\d+|best\.part\.keras)|\.model\.part\.keras)",
            rf"{STAGE}\.metrics\.\d+/(\.?({IN_METRICS})(\.\d+)?)",
            rf"{STAGE}\.metrics\.\d+/(fields-\d+|\.?value-\d+-\d+(\.\d+)?)",
            rf"{STAGE}checkpoints/\.{STEP}\.\d+/(arrays\.npz|facts\.json)",
            rf"{STAGE}\.(lock|now)\.[0-9a-f]{{32}}",
            r"\.\.[^/]+\.unfinished\.json\.\d+",
        )
    )
)
OWN_FILE = re.compile(
    "|".join(
        (
            rf"{STAGE}({ROOT_FILES})|stages/joined\.json",
            rf"{STAGE}checkpoints/(last|best\.keras|{STEP}/(arrays\.npz|facts\.json))",
            rf"{STAGE}tensorboard/events\.out\.tfevents\..+",
            r"\.[^/]+\.unfinished(\.json)?|\.[^/]+\.part-\d+-of-\d+\.nc",
            rf"metrics/({IN_METRICS})",
            LEFTOVER.pattern,
        )
    )
)


@dataclass
class Contents:
    """What lies in a run folder, as paths relative to it.

    own: files that the program wrote; folders: its own folders, outer ones first. foreign: all
    else, of a folder of the user's the name alone. links: symbolic links where a file or folder
    of the run would be; they are never followed.
    """

    own: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)


def contents(run: Path, predictions: Collection[str] = ()) -> Contents:
    """Sort what lies in a run folder; `predictions` are the names of the run's predicted fields.

    A file of such a name is the run's own where its attributes say that this program wrote it.
    """
    found = Contents()
    member = MEMBER if (run / MEMBER_FLAGFILE).is_file() else ()
    names = {PREDICTION, *predictions}
    names |= {refined_name(name) for name in names}
    for entry, name in _entries(run, "", found):
        if entry.is_symlink():
            ours = name in names or OWN_FILE.fullmatch(name) or OWN_FOLDER.fullmatch(name)
            (found.links if ours else found.foreign).append(name)
        elif entry.name in PRESENT:
            continue
        elif entry.is_dir():
            found.foreign.append(f"{name}/")
        elif OWN_FILE.fullmatch(name) or name in member or _predicted(entry, name, names):
            found.own.append(name)
        else:
            found.foreign.append(name)
    return found


def _predicted(entry: os.DirEntry[str], name: str, names: Collection[str]) -> bool:
    return name in names and is_prediction(Path(entry.path))


def _entries(folder: Path, prefix: str, found: Contents) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Everything below a folder but the run's own folders, which are gone through and noted."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        name = prefix + entry.name
        if entry.is_dir(follow_symlinks=False) and OWN_FOLDER.fullmatch(name):
            found.folders.append(name)
            yield from _entries(Path(entry.path), f"{name}/", found)
        else:
            yield entry, name


def remove_own(run: Path, found: Contents) -> None:
    """Remove the run's own files, and its own folders where nothing is left in them."""
    try:
        for name in found.own:
            (run / name).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"--save_path={run}: {name} cannot be removed ({error.strerror})"
        ) from error
    for name in reversed(found.folders):
        with suppress(OSError):
            (run / name).rmdir()


def remove_leftovers(run: Path, predictions: Collection[str] = ()) -> None:
    """Remove what killed runs have left half-written; the caller holds the folder's lock.

    `predictions` are the names of the run's predicted fields, which are written likewise.
    """
    names = {PREDICTION, *predictions}
    names |= {refined_name(name) for name in names}
    fields = re.compile(rf"\.({'|'.join(map(re.escape, sorted(names)))})\.\d+")
    found = Contents()
    for entry, name in _entries(run, "", found):
        whole = entry.is_file(follow_symlinks=False)
        if whole and (LEFTOVER.fullmatch(name) or fields.fullmatch(name)):
            found.own.append(name)
    found.folders = [name for name in found.folders if re.fullmatch(HIDDEN_FOLDER, name)]
    with suppress(InputError):  # what cannot be removed is in nobody's way
        remove_own(run, found)


def remove_checkpoint(folder: Path) -> None:
    """Remove the files of one checkpoint, and its folder where nothing else is in it."""
    with suppress(OSError):
        for name in IN_CHECKPOINT:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def remove_training(run: Path) -> None:
    """Remove what one run has learnt: its checkpoints, model and history."""
    found = contents(run)
    learnt = ("checkpoints", "checkpoints/")
    found.own = [
        name
        for name in found.own
        if name.startswith(learnt) or name in ("model.keras", "history.csv")
    ]
    found.folders = [name for name in found.folders if name.startswith(learnt)]
    remove_own(run, found)


def other_run(folder: Path) -> Path | None:
    """A run folder within another folder, stages of a stack aside."""
    for place, folders, files in os.walk(folder):
        name = Path(place).relative_to(folder).as_posix()
        if name != "." and FLAGFILE in files and not OWN_FOLDER.fullmatch(name):
            return Path(place)
        folders[:] = [one for one in folders if not (Path(place) / one).is_symlink()]
    return None


def refined_name(name: str) -> str:
    """The file of fields refined in space that are then filled in in time."""
    path = Path(name)
    return f"{path.stem}_space{path.suffix}"


def is_prediction(path: Path) -> bool:
    """Whether this program wrote a file of predicted fields; False where it cannot be read."""
    if is_sealed(path):
        return True  # without opening it: a damaged one can crash the HDF5 library

    import netCDF4

    try:
        with netCDF4.Dataset(path) as dataset:
            return str(getattr(dataset, "source", "")).startswith(SOURCE)
    except (OSError, RuntimeError):
        return False


def check_prediction_name(flag: str, name: str) -> None:
    """InputError unless a name is a plain one of a NetCDF file that is not the run's own."""
    plain = name.isprintable() and "/" not in name and not name.startswith((".", "~"))
    if not plain or not name.endswith(".nc") or name in FIELDS:
        own = f" other than {' and '.join(FIELDS)}" if name in FIELDS else ""
        raise InputError(
            f"--{flag}={name!r}: expected a plain name that ends in .nc{own}, such as y_hat.nc; "
            "it lies in the run folder. --output=PATH writes elsewhere"
        )
