"""From the sources to a finished folder of shards, made once for all ranks and jobs."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from absl import logging

from app.arrays import Json
from app.data.description import DataDescription, Variable
from app.data.module import ModuleData, load_module
from app.data.reading.sentinels import Tally, log_values
from app.data.shards.field_file import FIELD_TYPE
from app.data.shards.files import seal
from app.data.shards.fingerprint import fingerprint
from app.data.shards.manifest import (
    FORMAT,
    LAYOUT,
    MANIFEST,
    SCALING_FILE,
    STATIC_FILE,
    finished,
    set_aside_damaged,
)
from app.data.shards.module_plan import plan_of_module
from app.data.shards.plan import Plan
from app.data.shards.scaling_file import write_scaling
from app.data.shards.time_plan import WITHHELD
from app.data.shards.workplace import POLL, Workplace
from app.data.shards.writing import (
    DATA,
    Task,
    fitted_split,
    merge_fits,
    tasks_of,
    write_static,
    write_task,
)
from app.data.transforms import Scaling, ScalingFit, forward_all
from app.errors import InputError, one_line
from app.integrity.records import sealed
from app.ranks import Ranks
from app.registry import REGISTRY
from app.running.atomic import create_once, read_json, sync, write_json, write_text
from app.running.disk_space import NoRoom, full, no_room, require
from app.running.locks import Heartbeat, LockWatch
from app.running.owners import owner

WAIT_LIMIT = 600.0  # seconds without a sign of life of the rank that leads
FAILURE = "failed.json"
READY = "ready"


def prepare(
    description: DataDescription,
    *,
    scale: int,
    halo: int = 0,
    cache_dir: str | Path,
    ranks: Ranks | None = None,
    needs: Sequence[str] = (),
) -> Path:
    """Folder of finished shards in `cache_dir`, made now or found there.

    Ranks share the work through the file system; without rank 0 the others wait. `needs` are
    the splits that a data module must have ("train", "test"). InputError: unusable sources, a
    failure of another rank, or no sign of life of rank 0.
    """
    ranks = ranks or Ranks()
    module = _module(description, needs)
    name = _name(description, scale, halo, module)
    cache = Path(cache_dir).expanduser().resolve()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--cache_dir={cache_dir}: cannot be made ({error.strerror})") from error
    if ranks.first:
        set_aside_damaged(cache / name)
    if finished(cache / name):
        _repeat_findings(cache / name)
        return cache / name
    if module is not None:
        plan = plan_of_module(module, description, scale, halo)
    else:
        plan = REGISTRY.resolve("task", description.task)().plan(description, scale, halo)
    job = Job(plan, tasks_of(plan), description, name, ranks)
    with Heartbeat() as beat:
        return _cooperate(job, Workplace(cache, name), beat)


def folder_name(description: DataDescription, scale: int, halo: int) -> str:
    """What the folder of these data is called; InputError where they cannot be looked at."""
    return _name(description, scale, halo, _module(description, ()))


def _name(description: DataDescription, scale: int, halo: int, module: ModuleData | None) -> str:
    return fingerprint(description, scale, halo, module.arrays() if module else None)


def _module(description: DataDescription, needs: Sequence[str]) -> ModuleData | None:
    if description.module is None:
        return None
    return load_module(
        description.module,
        explicit=description.module_explicit,
        inference_in_hr=description.module_inference_in_hr,
        needs=needs,
    )


@dataclass(frozen=True, eq=False)
class Job:
    """A plan cut into tasks, as one rank sees it."""

    plan: Plan
    tasks: Sequence[Task]
    description: DataDescription
    fingerprint: str
    ranks: Ranks

    @property
    def mine_first(self) -> list[Task]:
        """All tasks, those of this rank before the others'."""
        rank, size = self.ranks.rank, self.ranks.size
        return sorted(self.tasks, key=lambda task: (self.tasks.index(task) - rank) % size)


def _cooperate(job: Job, place: Workplace, beat: Heartbeat) -> Path:
    life, since = None, time.monotonic()
    while not finished(place.final):
        folder = place.try_lock(beat) if job.ranks.first else None
        if folder is not None:
            _lead(job, place, folder, beat)
            break
        place.raise_failure()
        folder = None if job.ranks.first else place.work_folder()
        if folder is not None and (folder / READY).exists():
            _help(job, folder, beat)
        if place.sign_of_life() != life:
            life, since = place.sign_of_life(), time.monotonic()
        if time.monotonic() - since > WAIT_LIMIT:
            raise InputError(
                f"{place.final}: waited {WAIT_LIMIT:g} s without a sign of life of the process "
                "that prepares it (rank 0)"
            )
        time.sleep(POLL)
    return place.final


def _lead(job: Job, place: Workplace, folder: Path, beat: Heartbeat) -> None:
    """Prepare with whoever helps, and put the folder in its place."""
    try:
        if finished(place.final):
            return
        logging.info("preparing %d shards in %s", len(job.tasks), place.final)
        require(place.final, _bytes(job))
        (folder / DATA).mkdir()
        (folder / READY).touch()
        _work(job, folder, beat)
        reports = _gather(job, folder, beat)
        _finish(job, folder, reports)
        _publish(folder / DATA, place.final)
    except BaseException as error:
        told = _told(error, place.final)
        place.notify_failure(told)
        if told is error:
            raise
        raise told from error
    finally:
        place.release(beat, folder)


def _help(job: Job, folder: Path, beat: Heartbeat) -> None:
    """Do what is unclaimed; a failure is left for the leader to find."""
    try:
        _work(job, folder, beat)
    except BaseException as error:
        if not folder.is_dir():
            return  # the leader has finished or failed meanwhile: that is what counts
        told = no_room(folder) if full(error) and not isinstance(error, NoRoom) else error
        message = f"rank {job.ranks.rank}: {one_line(told)}"
        with suppress(OSError):
            create_once(folder / FAILURE, {"message": message, "full": full(error)})
        if told is error:
            raise
        raise told from error


def _told(error: BaseException, final: Path) -> BaseException:
    """The error by which a failure of the file system is told."""
    if isinstance(error, NoRoom) or not (full(error) or isinstance(error, OSError)):
        return error
    return no_room(final) if full(error) else InputError(f"{final}: {one_line(error)}")


def _work(job: Job, folder: Path, beat: Heartbeat) -> None:
    for task in job.mine_first:
        _raise_failure(folder)
        claim = folder / f"{task.name}.claim"
        if claim.exists() or not create_once(claim, owner()):
            continue
        beat.add(claim)
        write_json(folder / f"{task.name}.json", write_task(job.plan, task, folder))
        beat.drop(claim)


def _gather(job: Job, folder: Path, beat: Heartbeat) -> dict[str, Json]:
    """Wait for the tasks that others have claimed; those of the dead are done again."""
    reports: dict[str, Json] = {}
    watch = LockWatch()
    while len(reports) < len(job.tasks):
        _raise_failure(folder)
        for task in job.tasks:
            report = read_json(folder / f"{task.name}.json")
            if report is not None:
                reports[task.name] = report
            elif watch.abandoned(folder / f"{task.name}.claim"):
                logging.warning("shard %s was abandoned; writing it again", task.name)
                (folder / f"{task.name}.claim").unlink()
                _work(job, folder, beat)
        if len(reports) < len(job.tasks):
            time.sleep(POLL)
    return reports


def _raise_failure(folder: Path) -> None:
    failure = read_json(folder / FAILURE)
    if failure is not None:
        raise (NoRoom if failure.get("full") else InputError)(str(failure["message"]))


def _finish(job: Job, folder: Path, reports: dict[str, Json]) -> None:
    """Scaling, statics and manifest."""
    plan, data = job.plan, folder / DATA
    _refuse_missing(job, reports)
    write_scaling(data / SCALING_FILE, _scaling(job, folder))
    write_static(data / STATIC_FILE, plan.geometry.fine, plan.static, plan.variables["static"])
    findings = _findings(plan, reports)
    path = data / MANIFEST
    manifest = _manifest(job, data, reports) | {"findings": findings}
    write_text(path, json.dumps(sealed(manifest)))
    seal(path)


def _bytes(job: Job) -> int:
    """Size of all shards."""
    plan = job.plan
    values = (math.prod(plan.grids[role].shape) * len(plan.variables[role]) for role in plan.roles)
    rows = sum(task.end - task.first for task in job.tasks)
    return FIELD_TYPE.itemsize * rows * sum(values)


def _findings(plan: Plan, reports: dict[str, Json]) -> list[str]:
    """Log, and return, lines on what reading has seen of the files' values, over all shards."""
    lines = []
    for number, source in enumerate(plan.sources):
        for c, variable in enumerate(source.variables):
            seen = Tally()
            for report in reports.values():
                seen.merge(Tally.from_dict(report["tallies"][number][c]))
            lines += log_values(seen, variable, source.where)
    return lines


def _repeat_findings(folder: Path) -> None:
    """What was said of the values when the shards were made, for this command, too."""
    for line in (read_json(folder / MANIFEST) or {}).get("findings", []):
        logging.info("%s", line)


def _refuse_missing(job: Job, reports: dict[str, Json]) -> None:
    for split in job.plan.splits:
        if split == WITHHELD:
            continue  # truth that may be missing: it is no part of what is trained
        counts = [reports[task.name]["valid"] for task in job.tasks if task.split == split]
        for variable, *valid in zip(job.plan.variables["hr"], *counts, strict=True):
            if not sum(valid):
                raise InputError(
                    f"{variable.name}: every value in the split {split} is missing "
                    f"({job.plan.splits[split].stamps.span()})"
                )


def _scaling(job: Job, folder: Path) -> dict[str, Scaling]:
    plan, description = job.plan, job.description
    split = fitted_split(plan)
    files = [folder / f"{task.name}.npz" for task in job.tasks if task.split == split]
    kind = description.scaling
    scaling = {
        role: _fitted(fit, plan.variables[role], kind, description.scaling_axes)
        for role, fit in merge_fits(files, plan.variables).items()
    }
    statics = ScalingFit(tuple(v.name for v in plan.variables["static"]))
    statics.add(forward_all(np.moveaxis(plan.static, 0, -1), plan.variables["static"])[None])
    scaling["static"] = _fitted(statics, plan.variables["static"], kind, "domain")
    return scaling


def _fitted(fit: ScalingFit, variables: tuple[Variable, ...], kind: str, axes: str) -> Scaling:
    if not variables:
        fit = ScalingFit()
        fit.add(np.zeros((1, 1, 1, 0)))
    return fit.result(kind, axes)


def _manifest(job: Job, folder: Path, reports: dict[str, Json]) -> Json:
    plan = job.plan
    files = {name: seal(folder / name) for name in (SCALING_FILE, STATIC_FILE)}
    splits: dict[str, dict[str, list[Json]]] = {}
    for task in job.tasks:
        for role, entry in reports[task.name]["entries"].items():
            files[task.file(role)] = {key: entry[key] for key in ("bytes", "sha256", "blocks")}
            shard = {
                "file": task.file(role),
                "rows": task.end - task.first,
                "offsets": entry["offsets"],
            }
            splits.setdefault(task.split, {}).setdefault(role, []).append(shard)
    source = plan.grids.get("source")
    return {
        "format": FORMAT,
        "layout": LAYOUT,
        "fingerprint": job.fingerprint,
        "explicit": plan.explicit,
        "coarse_predictand": plan.coarse_predictand,
        "has_times": plan.has_times,
        "task": job.description.task,
        "calendar": next(iter(plan.splits.values())).stamps.calendar,
        "geometry": plan.geometry.to_dict(),
        "source_grid": source.to_dict() if source else None,
        "origins": list(plan.origins),
        "meanings": {
            role: {name: asdict(meaning) for name, meaning in members.items()}
            for role, members in plan.meanings.items()
        },
        "variables": {role: [asdict(v) for v in vs] for role, vs in plan.variables.items()},
        "shapes": {role: list(plan.grids[role].shape) for role in plan.roles},
        "splits": splits,
        "files": files,
    }


def _publish(folder: Path, final: Path) -> None:
    """Rename only what is on disk; a broken folder of that name gives way."""
    for path in (*(p for p in folder.iterdir() if p.is_dir()), folder):
        sync(path)
    if final.exists():
        final.rename(folder.with_name("broken"))
    folder.rename(final)
    sync(final.parent)
    logging.info("shards are in %s", final)
