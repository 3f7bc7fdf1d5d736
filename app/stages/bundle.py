"""Command `bundle`: a trained model in a folder as model hubs take it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from absl import logging

from app.errors import InputError, one_line
from app.options import Values
from app.options.readers import path
from app.ranks import Ranks
from app.report.card import card_facts, card_text
from app.running.atomic import read_json, write_json, write_text
from app.running.masking import masked
from app.running.netcdf_file import write_dataset
from app.running.run_files import CARD_FACTS, FLAGFILE
from app.running.run_folder import RunFolder, model_file
from app.session import Session
from app.tasks import task_named

README, SAMPLE, CLIMATE = "README.md", "sample_input.nc", "input_climate.nc"
COPIED = (FLAGFILE, "provenance.json", CLIMATE)  # as far as they are there
WHOLE = ("model.keras", README, CARD_FACTS, SAMPLE, *COPIED)


def run(words: Sequence[str], values: Values, argv: Sequence[str], ranks: Ranks) -> None:
    """Write model, card, flagfile and a sample of its input to --output.

    InputError, with nothing written, where there is no trained model, or a folder with files.
    """
    if len(words) != 1 or not values["output"]:
        raise InputError("bundle: expected one run folder, and --output=FOLDER to be written")
    if not ranks.first:
        return
    source, target = RunFolder(path(words[0])), path(values["output"])
    model_file(source.path, f"bundle {words[0]}")
    _refuse_other(source.path, target, values["overwrite"])
    before = read_json(source.path / CARD_FACTS) or {}
    facts = card_facts(source, values["license"] or before.get("license"))
    try:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source.model, target / source.model.name)
        for name in COPIED:
            if (source.path / name).is_file():
                shutil.copyfile(source.path / name, target / name)
        if (target / FLAGFILE).is_file():
            write_text(target / FLAGFILE, masked((target / FLAGFILE).read_text(encoding="utf-8")))
        facts["sample_input"] = _write_sample(source.path, target / SAMPLE, values)
        write_json(target / CARD_FACTS, facts)
        write_text(target / README, card_text(facts))
    except OSError as error:
        raise InputError(f"bundle: {target} cannot be written ({one_line(error)})") from error
    size = sum(file.stat().st_size for file in target.iterdir())
    logging.info("bundle: %s, %.1f MiB; test --model=%s uses it", target, size / 2**20, target)


def _refuse_other(source: Path, target: Path, overwrite: bool) -> None:
    """InputError where the target is the run itself, or holds what is none of a bundle's."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise InputError(f"bundle: --output={target} is a file or a link, expected a folder")
    if target.resolve().is_relative_to(source.resolve()):
        raise InputError(f"bundle: --output={target} lies in the run; expected a folder elsewhere")
    there = sorted(file.name for file in target.iterdir()) if target.exists() else []
    foreign = [name for name in there if name not in WHOLE]
    if foreign:
        raise InputError(
            f"bundle: --output={target} holds {foreign[0]}, which is none of a bundle; expected a "
            "new folder"
        )
    if there and not overwrite:
        raise InputError(
            f"bundle: --output={target} holds a bundle already; expected another folder, or "
            "--overwrite to replace it"
        )


def _write_sample(run: Path, file: Path, values: Values) -> str | None:
    """The name of the sample, or None where the data of the run give none; a line says why."""
    code = {name: values[name] for name in ("data_module", "plugins") if values[name]}
    file.unlink(missing_ok=True)
    try:
        session = Session.of_run(run, "test", **code)
        shards = session.shards
        write_dataset(task_named(shards.task).sample(shards), file)
    except InputError as error:
        logging.warning("bundle: without a sample of the input: %s", one_line(error))
        return None
    return file.name
