"""What of a stack is trained and joined, as the folders of its stages tell."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import keras

from app.arrays import Json
from app.errors import InputError
from app.integrity.archives import archive_damage
from app.methods.deepsd.folders import stage_path
from app.models.loading import load_model
from app.options import JOIN, Experiment, TrainingConfig
from app.running.atomic import read_json, write_json
from app.running.run_folder import RunFolder
from app.training.position import already_trained


def stage_folder(folder: RunFolder, number: int) -> RunFolder:
    """Where a stage of a run is trained."""
    return RunFolder(stage_path(folder.path, number))


def nothing_to_do(experiment: Experiment, folder: RunFolder, folders: list[RunFolder]) -> bool:
    """Whether the wanted stages are trained, and joined where that is wanted."""
    training, stack = part_of_time(experiment), experiment.stack
    wanted = [folders[number - 1] for number in stack.numbers]
    if not all(already_trained(each, training) for each in wanted):
        return False
    return not stack.joins or _joined(folder, folders, training, stack.finetune_joint)


def part_of_time(experiment: Experiment) -> TrainingConfig:
    """How one stage, or the join of all, is trained: each has an equal part of --time_budget."""
    training, stack = experiment.training, experiment.stack
    if training.time_budget is None:
        return training
    parts = len(stack.sr_factors) + bool(stack.finetune_joint)
    return replace(training, time_budget=training.time_budget / parts)


def _joined(
    folder: RunFolder, folders: list[RunFolder], training: TrainingConfig, epochs: int
) -> bool:
    """Whether model.keras is the join of these very stages, trained for so many epochs."""
    if archive_damage(folder.model) or recorded(folder) != digests(folders):
        return False
    return not epochs or already_trained(folder, replace(training, epochs=epochs))


def digests(folders: list[RunFolder]) -> list[str]:
    """SHA-256 of the models of those stages that are trained."""
    files = [each.model for each in folders if each.model.is_file()]
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


def _record(folder: RunFolder) -> Path:
    return folder.path / "stages" / "joined.json"


def record(folder: RunFolder, found: list[str]) -> None:
    """Keep the digests of the stages that are joined."""
    write_json(_record(folder), {"stages": found})


def recorded(folder: RunFolder) -> list[str] | None:
    """Digests of the stages that were joined last."""
    return (read_json(_record(folder)) or {}).get("stages")


def refuse_missing(folders: list[RunFolder], flags: Json) -> None:
    """Refuse to join where a stage is missing or was trained with other flags."""
    missing = [each.model for each in folders if not each.model.is_file()]
    if missing:
        raise InputError(
            f"--sr_stage={JOIN}: no trained stage at {missing[0]}; train every stage first, "
            f"{len(missing)} of {len(folders)} are missing"
        )
    for each in folders:
        each.check(flags, overwrite=False)


def load_stage(stage: keras.Model, folder: RunFolder) -> None:
    """Give a stage the weights that its folder holds."""
    try:
        trained = load_model(folder.model)
        for own, other in zip(stage.weights, trained.weights, strict=True):
            own.assign(other)
    except ValueError as error:  # of other shapes, or of other layers
        raise InputError(
            f"{folder.model}: no trained stage that fits these flags ({error})"
        ) from error
