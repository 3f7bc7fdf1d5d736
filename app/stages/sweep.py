"""Stage `sweep`: many runs from one command, here or as a Slurm array, and their table."""

from __future__ import annotations

from collections.abc import Sequence

from absl import logging

from app.errors import InputError, RunError
from app.options import SweepConfig
from app.ranks import Ranks
from app.sweep.members import SweepRun, plan_members, read_members, write_members
from app.sweep.spec import read_spec


def run(sweep: SweepConfig, ranks: Ranks) -> None:
    """Expand, run what is not finished, and collect; or one of these."""
    if ranks.size > 1:
        raise InputError(
            f"sweep under {ranks.launcher} with {ranks.size} processes: expected one process, "
            "which starts the members itself"
        )
    if sweep.sweep is None:
        if not read_members(sweep.save_path):
            raise InputError(f"--save_path={sweep.save_path}: no sweep has run here")
        _collect(sweep)
        return
    spec = read_spec(sweep.sweep)
    planned = plan_members(spec, sweep)
    members = [one.member for one in planned]
    if sweep.dry_run:
        _show(sweep, members)
        return
    write_members(planned, spec, sweep)
    todo = _unfinished(members)
    logging.info(
        "sweep of %d members in %s: %d finished, %d to run",
        len(members),
        sweep.save_path,
        len(members) - len(todo),
        len(todo),
    )
    if sweep.submit:
        _submit(sweep, members, todo)
    else:
        _run_here(sweep, todo)


def _unfinished(members: Sequence[SweepRun]) -> list[SweepRun]:
    return [member for member in members if member.state() != "finished"]


def _show(sweep: SweepConfig, members: Sequence[SweepRun]) -> None:
    for member in members:
        print(f"{member.folder}  {member.state()}")
    todo = _unfinished(members)
    if sweep.submit and todo:
        print(_script(sweep, members, todo), end="")


def _submit(sweep: SweepConfig, members: Sequence[SweepRun], todo: Sequence[SweepRun]) -> None:
    from app.sweep.slurm import submit

    if todo:
        print(submit(_script(sweep, members, todo), sweep.save_path))


def _script(sweep: SweepConfig, members: Sequence[SweepRun], todo: Sequence[SweepRun]) -> str:
    from app.sweep.slurm import array_script

    return array_script(members, todo, sweep.stages, sweep.jobs, sweep.sbatch_options)


def _run_here(sweep: SweepConfig, todo: Sequence[SweepRun]) -> None:
    from app.sweep.local import run_members

    failed = run_members(todo, sweep.stages, jobs=sweep.jobs, threads=sweep.threads)
    _collect(sweep)
    if failed:
        listed = "; ".join(f"{member.folder.name}: {member.last_line()}" for member in failed)
        raise RunError(f"{len(failed)} of {len(todo)} members failed: {listed}")


def _collect(sweep: SweepConfig) -> None:
    from app.report.comparison import draw_comparison
    from app.sweep.collect import collect

    collected = collect(sweep.save_path)
    draw_comparison(collected.groups, collected.baselines, sweep.save_path)
    print(collected.text)
    logging.info("tables and figure: %s", sweep.save_path)
