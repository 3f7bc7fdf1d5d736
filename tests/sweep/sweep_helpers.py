"""Sweeps from command lines, without running anything."""

from __future__ import annotations

from pathlib import Path

from app import options
from app.options import SweepConfig
from app.sweep.members import Planned, plan_members, write_members
from app.sweep.spec import read_spec

DATA = ("--data=synthetic", "--variable=t2m")


def sweep_of(*argv: str) -> SweepConfig:
    words, values = options.parse(["sweep", *argv])
    return options.build_sweep(words, values, ["sweep", *argv])


def planned(folder: Path, text: str, *argv: str, write: bool = True) -> list[Planned]:
    sweep = sweep_of(*DATA, f"--sweep={text}", f"--save_path={folder}", *argv)
    spec = read_spec(text)
    members = plan_members(spec, sweep)
    if write:
        write_members(members, spec, sweep)
    return members
