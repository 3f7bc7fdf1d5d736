"""The task of a run: kept in prepared data and in saved models, and decided in one place."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from app.data.shards.manifest import task_of
from app.errors import InputError
from app.model_archive import CONFIG, WEIGHTS, saved_task
from app.options import build, parse
from app.tasks import Task, task_named, task_of_run
from app.tasks.chain import SpaceThenTime
from app.tasks.space import SpaceTask
from app.tasks.time import TimeTask

IN_TIME = ("--trainer=TemDeepTrainer", "--input_step=3h", "--target_step=1h")


def saved(folder: Path, class_name: str, **config: Any) -> Path:
    """A file that looks like a saved model, without any weights."""
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(CONFIG, json.dumps({"class_name": class_name, "config": config}))
        archive.writestr(WEIGHTS, b"")
    return path


@pytest.mark.parametrize(
    ("class_name", "config", "expected"),
    [
        ("PhysicalModel", {"task": "space"}, "space"),
        ("MyModel", {"task": "time"}, "time"),
        ("TemporalModel", {}, "time"),  # from before models told their task
        ("DiffusionModel", {}, "space"),
        ("MyModel", {}, None),
        ("MyModel", {"task": ["time"]}, None),
    ],
)
def test_a_saved_model_tells_its_task(
    tmp_path: Path, class_name: str, config: dict[str, Any], expected: str | None
) -> None:
    assert saved_task(saved(tmp_path, class_name, **config)) == expected


@pytest.mark.parametrize(
    ("told", "scale", "expected"),
    [({}, 1, "time"), ({}, 4, "space"), ({"task": "time"}, 4, "time")],
)
def test_prepared_data_tell_their_task(told: dict[str, str], scale: int, expected: str) -> None:
    manifest: Any = {"geometry": {"scale": scale}, **told}
    assert task_of(manifest) == expected


@pytest.mark.parametrize(
    ("argv", "model", "expected"),
    [
        ((), "space", SpaceTask),
        ((), "time", TimeTask),  # the trainer is the default, and says nothing
        (IN_TIME, "time", TimeTask),
        (IN_TIME, "space", TimeTask),  # which then refuses the model
        (("--temporal_model=other", "--target_step=1h"), "space", SpaceThenTime),
    ],
)
def test_a_run_has_one_task(
    tmp_path: Path, argv: tuple[str, ...], model: str, expected: type[Task]
) -> None:
    words = ["test", "--data=synthetic", "--variable=t2m", *argv]
    path = saved(tmp_path, "AnyModel", task=model)
    assert type(task_of_run(build(*parse(words)), path)) is expected


def test_data_are_described_for_the_task_of_the_method() -> None:
    for argv, expected in (((), "space"), (IN_TIME, "time")):
        experiment = build(*parse(["train", "--data=synthetic", "--variable=t2m", *argv]))
        assert experiment.data is not None
        assert experiment.data.task == experiment.task == expected


def test_unknown_tasks_are_refused() -> None:
    with pytest.raises(InputError, match="known: space, time"):
        task_named("sideways")
