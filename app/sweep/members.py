"""The members of a sweep: their flags, their folders, and how far each is."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app import options
from app.arrays import Json
from app.errors import InputError
from app.methods.recipe_choice import with_head
from app.options import SweepConfig
from app.running.atomic import write_json, write_text
from app.running.run_folder import RunFolder
from app.running.status import FILE
from app.sweep.spec import FLAGFILE, Changes, Spec, canonical

INDEX = "sweep.json"
NAME_LENGTH = 100  # characters of a folder's name
UNSAFE = re.compile(r"[^A-Za-z0-9._=+-]+")
PROGRAM = "finescale: "  # how the program begins its last words
LOG_TAIL = 64 * 1024  # bytes of a log that are searched for its last line


@dataclass(frozen=True, eq=False)
class SweepRun:
    """One run of a sweep; `changes` are its swept flags as the user wrote them."""

    number: int
    folder: Path
    changes: Changes

    @property
    def flagfile(self) -> Path:
        return self.folder / "member.cfg"

    @property
    def finished_flagfile(self) -> Path:
        """A copy of the flagfile, made when the run has ended well."""
        return self.folder / "finished.cfg"

    @property
    def exit_code(self) -> Path:
        return self.folder / "exit_code"

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"

    def describe(self) -> str:
        """`flag=value` of all swept flags."""
        return _described(self.changes)

    def last_line(self) -> str:
        """What the program said last, before any word of the launcher's."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - LOG_TAIL))
                text = file.read().decode("utf-8", errors="replace")
        except OSError:
            return "no log"
        lines = [line.strip() for line in reversed(text.split("\n")) if line.strip()]
        own = [line for line in lines if line.startswith(PROGRAM)]
        return next(iter([*own, *lines]), "empty log")

    def state(self) -> str:
        """finished, failed, unfinished (running, or killed), or waiting."""
        if self.finished_flagfile.is_file():
            same = self.finished_flagfile.read_bytes() == self.flagfile.read_bytes()
            return "finished" if same else "waiting"
        if self.exit_code.is_file():
            return "failed"
        return "unfinished" if self.log.is_file() else "waiting"


@dataclass(frozen=True, eq=False)
class Planned:
    """A member with its resolved flags, ready to be written."""

    member: SweepRun
    values: options.Values


def plan_members(spec: Spec, sweep: SweepConfig) -> list[Planned]:
    """All members with stable folders; each impossible one is named on standard error.

    Writes nothing. Raises InputError where a member is impossible or there twice.
    """
    both = sorted(set(spec.names) & sweep.given_flags)
    if both:
        raise InputError(f"--{both[0]} is swept and given on the command line too")
    resolved = [(changes, _values(changes, sweep)) for changes in spec.choices]
    wanted = [
        (changes, values)
        for changes, values in resolved
        if not any(matches(one, changes, values) for one in spec.exclude)
    ]
    if not wanted:
        raise InputError("the sweep has no members: all are excluded")
    _refuse_impossible(wanted, sweep)
    _refuse_twins(wanted)
    members = _numbered([changes for changes, _ in wanted], sweep.save_path)
    return [
        Planned(member, {**values, "save_path": str(member.folder), "overwrite": False})
        for member, (_, values) in zip(members, wanted, strict=True)
    ]


def matches(selection: Mapping[str, str], changes: Changes, values: options.Values) -> bool:
    """Whether a member has all the values of a selection, swept or not."""
    for name, text in canonical(selection).items():
        if name == FLAGFILE:
            if canonical(changes).get(FLAGFILE) != text:
                return False
        elif options.as_text(values[name]) != text:
            return False
    return True


def write_members(planned: list[Planned], spec: Spec, sweep: SweepConfig) -> None:
    """Write the index and each member's flagfile.

    Raises InputError where a folder was made with other flags; --overwrite removes what the
    member has written there instead.
    """
    anew = [one for one in planned if sweep.overwrite and _made_differently(one)]
    for one in anew:  # before anything is removed
        options.check_clearing(options.build(sweep.stages, one.values))
    for one in anew:
        folder = RunFolder(one.member.folder)
        folder.clear(one.values)
        (folder.path / FILE).unlink(missing_ok=True)
    for one in planned:
        RunFolder(one.member.folder).check(one.values, overwrite=False)
    try:
        sweep.save_path.mkdir(parents=True, exist_ok=True)
        known = {member.number: member for member in read_members(sweep.save_path)}
        known |= {one.member.number: one.member for one in planned}
        _write_index([known[number] for number in sorted(known)], spec, sweep)
        for one in planned:
            one.member.folder.mkdir(exist_ok=True)
            stages = " ".join(sweep.stages)
            text = f"# SweepRun of a sweep; stages: {stages}\n{options.as_flagfile(_portable(one))}"
            write_text(one.member.flagfile, text)
    except OSError as error:
        raise InputError(f"--save_path={sweep.save_path}: cannot be written ({error})") from error


def read_index(folder: Path) -> Json:
    """Content of sweep.json; empty where there is none yet."""
    path = folder / INDEX
    if not path.exists():
        return {}
    try:
        result: Json = json.loads(path.read_text(encoding="utf-8"))
        return result
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as the index of a sweep ({error})") from error


def read_members(folder: Path) -> list[SweepRun]:
    """All members that the sweep in this folder ever had."""
    return [
        SweepRun(entry["number"], folder / entry["folder"], entry["changes"])
        for entry in read_index(folder).get("members", [])
    ]


def _values(changes: Changes, sweep: SweepConfig) -> options.Values:
    """Flags of one member: command line over its flagfile, swept values over both."""
    own = [f"--{name}={text}" for name, text in changes.items()]
    argv = [*sweep.shared, *own]
    _, values = options.parse(argv)
    return with_head(values, options.assigned_names(argv))


def _refuse_impossible(wanted: list[tuple[Changes, options.Values]], sweep: SweepConfig) -> None:
    refused = 0
    for changes, values in wanted:
        try:
            options.build(sweep.stages, {**values, "overwrite": False})
        except InputError as error:
            refused += 1
            print(f"finescale: member {_described(changes)}: {error}", file=sys.stderr)
    if refused:
        raise InputError(
            f"{refused} of {len(wanted)} members of the sweep are impossible, as named above; "
            "nothing was run. Change or exclude them"
        )


def _refuse_twins(wanted: list[tuple[Changes, options.Values]]) -> None:
    seen: dict[str, Changes] = {}
    for changes, values in wanted:
        key = options.as_flagfile({**values, "save_path": ""})
        if key in seen:
            twins = " and ".join(map(_described, (seen[key], changes)))
            raise InputError(f"the members {twins} of the sweep have the same flags")
        seen[key] = changes


def _described(changes: Changes) -> str:
    return ", ".join(f"{name}={text}" for name, text in changes.items())


def _numbered(wanted: list[Changes], folder: Path) -> list[SweepRun]:
    """Members keep the folder they once had; new ones are numbered after all others."""
    known = read_members(folder)
    by_key = {_key(member.changes): member for member in known}
    following = max((member.number for member in known), default=-1) + 1
    members = []
    for changes in wanted:
        member = by_key.get(_key(changes))
        if member is None:
            member = SweepRun(following, folder / _folder_name(following, changes), changes)
            by_key[_key(changes)] = member
            following += 1
        members.append(member)
    return members


def _key(changes: Changes) -> str:
    return json.dumps(canonical(changes))


def _folder_name(number: int, changes: Changes) -> str:
    """Number and swept flags, joined by + (commas would part the runs of --ensemble)."""
    parts = [
        f"{name}={Path(text).stem if name == FLAGFILE else text}" for name, text in changes.items()
    ]
    safe = UNSAFE.sub("_", "+".join(parts))
    return f"{number:03d}-{safe}"[:NAME_LENGTH]


def _made_differently(one: Planned) -> bool:
    return bool(RunFolder(one.member.folder).changed_flags(one.values))


def _portable(one: Planned) -> options.Values:
    """The member's flags without those of the sweep, which are no business of a run."""
    own = {flag.name: flag.default for flag in options.SECTIONS["SWEEP"]}
    return {**one.values, **own}


def _write_index(members: list[SweepRun], spec: Spec, sweep: SweepConfig) -> None:
    content = {
        "stages": sweep.stages,
        "compare": spec.compare or read_index(sweep.save_path).get("compare", []),
        "members": [
            {"number": m.number, "folder": m.folder.name, "changes": m.changes} for m in members
        ],
    }
    write_json(sweep.save_path / INDEX, content)
