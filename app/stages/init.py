"""Stage `init`: looks at a user's files and writes a flagfile, a data description and a job."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from app import options
from app.data.reading.paths import REMOTE, local, separate
from app.data.shards.advice import amounts
from app.errors import InputError
from app.methods import recipe_choice
from app.options import Values
from app.options.description import OVERRIDES
from app.options.readers import path
from app.ranks import Ranks
from app.session import Session
from app.stages.check import print_line
from app.starting.description_text import as_yaml
from app.starting.files import write_new
from app.starting.first_look import Look, is_rain, look_at, told
from app.starting.flagfile_text import as_commented_flagfile
from app.starting.job_text import as_job
from app.starting.shipped import SCHEMA, root
from app.tasks import task_named
from app.usage import program

FLAGFILE, DESCRIPTION, JOB = "experiment.cfg", "data.yml", "job.sbatch"
RUN, CACHE = "run", "cache"
# Flags that stand in the data description, or in none of the files.
NOT_IN_FLAGFILE = frozenset(
    (*OVERRIDES, "data", "variable", "static", "overwrite", "sbatch_options", "submit")
)
PATHS = ("save_path", "cache_dir", "stage_to", "observations", "init_from", "regression_from")
USE = "init DIR --data=FILES --variable=NAME [--static=FILE:VARIABLE] [--scale=N] [--flag=value …]"


def run(words: Sequence[str], values: Values, argv: Sequence[str], ranks: Ranks) -> None:
    """Write the files into the folder that is named, and print what was found and what to do next.

    InputError for what `check` would refuse of the files' heads, and where files are there already.
    """
    folder, given = _folder(words, ranks), options.given_names(argv)
    if not values["data"] or "flagfile" in given:
        raise InputError(f"init: expected {USE}; what flagfiles say is left to be written")
    if not values["variable"]:
        raise InputError(
            f"--data={values['data']}: expected --variable=NAME beside it{_there(values)}"
        )
    values = _with_folders(values, folder, given)
    experiment = options.build(("check",), {**values, "data_config": None, "overwrite": False})
    assert experiment.data is not None
    opened = Session(experiment, ranks).description
    look = look_at(opened, experiment.sampling.scale, experiment.sampling.halo)
    description = told(experiment.data, look)
    flagfile, script = folder / FLAGFILE, folder / JOB
    with_trainer = recipe_choice.with_trainer(values, given)
    wanted = recipe_choice.wanted(with_trainer)
    chosen = recipe_choice.method_flags(with_trainer) if wanted else ()
    notes = _notes_on_flags(look, folder, values["recipe"] if chosen else "")
    names = (given - NOT_IN_FLAGFILE) | {"save_path", "cache_dir", "data_config", "scale"}
    texts = {
        folder / DESCRIPTION: as_yaml(
            description, root() / SCHEMA, _notes_on_data(look), _hints(look)
        ),
        flagfile: as_commented_flagfile(notes, values, names, chosen),
        script: as_job(script, flagfile, Path(values["save_path"]), values["sbatch_options"] or ""),
    }
    write_new(texts, values["overwrite"], "init")
    _report(look, task_named(description.task).takes_instants, texts)


def _folder(words: Sequence[str], ranks: Ranks) -> Path:
    if ranks.size > 1:
        raise InputError(f"init under {ranks.launcher}: expected one process")
    if len(words) != 1:
        raise InputError(f"init: expected {USE}; received {', '.join(words) or 'no folder'}")
    return Path(os.path.abspath(path(words[0])))


def _there(values: Values) -> str:
    """The variables of the first file, for whoever has named none."""
    from app.data.reading.files import open_lazily
    from app.data.reading.paths import expand
    from app.data.reading.selection import names_in

    first = expand(separate(values["data"])[:1])[0]
    return f"; {first} has {names_in(open_lazily(first, None))}"


def _with_folders(values: Values, folder: Path, given: frozenset[str]) -> Values:
    """The values with paths that hold from any folder; run and cache lie in this one by default."""
    defaults = {"save_path": folder / RUN, "cache_dir": folder / CACHE}
    changed = {**values, "data_config": str(folder / DESCRIPTION)}
    changed |= {name: str(place) for name, place in defaults.items() if name not in given}
    for name in PATHS:
        text = changed[name]
        if text and REMOTE not in text and "$" not in text:
            changed[name] = os.path.abspath(local(text))
    return changed


def _notes_on_data(look: Look) -> list[str]:
    names = ", ".join(variable.name for variable in look.plan.variables["hr"])
    return [
        f"Data of {names}, written by `{program()} init`; it is yours to edit.",
        *(f"{label}: {text}" for label, text in _findings(look)),
    ]


def _findings(look: Look) -> list[tuple[str, str]]:
    """What was found, by label."""
    plan = look.plan
    stamps = plan.splits[look.training].stamps
    found = [
        ("grid", plan.geometry.describe()),
        ("fine", plan.geometry.fine.extent()),
        ("time", f"calendar {stamps.calendar}, {look.step_text()}"),
    ]
    for c, variable in enumerate(plan.variables["hr"]):
        known = variable.source_name not in plan.sources[0].unitless
        units = f"in {variable.units}" if known else "in a unit that the file does not tell"
        found.append((variable.name, f"{units}, {look.range_text(c)}"))
    found += [(name, f"{len(split.stamps)} times, {split.stamps.span()}")
              for name, split in plan.splits.items()]  # fmt: skip
    return found


def _hints(look: Look) -> dict[str, list[str]]:
    """What a user may want to add to a part of the description, by its key."""
    hints: dict[str, list[str]] = {"splits": ["gap: 1D    (leaves a day out between the periods)"]}
    if any(is_rain(look, c) for c in range(len(look.plan.variables["hr"]))):
        hints["predictand"] = [
            "transform: log1p (or sqrt) of a variable makes skewed amounts easier to learn."
        ]
    unknown = look.plan.sources[0].unitless
    if unknown:
        hints.setdefault("predictand", []).append(
            f"units: … of {', '.join(unknown)}, which the file does not tell."
        )
    return hints


def _notes_on_flags(look: Look, folder: Path, by_recipe: str) -> list[str]:
    """What the flagfile begins with; `by_recipe`: by which flags not given follow from the data."""
    names = ", ".join(variable.name for variable in look.plan.variables["hr"])
    scale, flagfile = look.plan.geometry.scale, shlex.quote(str(folder / FLAGFILE))
    what = f"×{scale}" if scale > 1 else "in time"
    notes = [
        f"Downscaling of {names} {what}, written by `{program()} init`; it is yours to edit.",
        f"Look:    {program()} check --flagfile={flagfile}",
        f"Run:     {program()} train test metrics --flagfile={flagfile}",
        "Lines with #-- name the defaults of flags that one may want to change. The paths hold "
        "from any folder; they are to be changed where this one is moved.",
    ]
    if by_recipe:
        notes.append(
            f"--recipe={by_recipe} chooses flags of MODEL and TRAINING to suit the data, unless "
            "given, and --time_budget=5min, say, how long training takes."
        )
    return notes


def _report(look: Look, instants: bool, texts: dict[Path, str]) -> None:
    """Print what was found, and what is to be done next; `instants`: as for `amounts`."""
    flagfile, script = (next(p for p in texts if p.name == name) for name in (FLAGFILE, JOB))
    for label, text in _findings(look):
        print_line(label, text)
    for line in amounts(look.plan.meanings, instants):
        print_line("amount", line)
    print("\nwritten:")
    for written in texts:
        print(f"  {written}")
    quoted = shlex.quote(str(flagfile))
    print("\nnext:")
    print(f"  {program()} check --flagfile={quoted}")
    print(f"  {program()} train test metrics --flagfile={quoted}")
    print(f"or, on a cluster: sbatch {shlex.quote(str(script))}")
