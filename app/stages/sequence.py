"""The stages of one command, one after the other, within the guard of its run folder."""

from __future__ import annotations

from contextlib import nullcontext
from importlib import import_module

from app.distributed import communication_errors
from app.running import failure
from app.session import JOINED, Session

STAGE_MODULES = {"list": "listing"}
LOOKING = {"check", "list", "status", "report"}  # stages that need no run folder to themselves
JOINT_STAGES = {*JOINED, "metrics"}  # whose ranks wait for each other


def run_stages(session: Session) -> None:
    """Run the stages of a session in their order."""
    stages = session.experiment.stages
    guarded = not only_looks(session)
    if JOINT_STAGES & set(stages):
        _ = session.team  # before any work: a rank that is missing would be missed after it
    with session.guard if guarded else nullcontext():
        for stage in stages:
            if guarded:
                session.guard.begin(stage)
            module = STAGE_MODULES.get(stage, stage)
            with (
                failure.within(stage, session.experiment.sampling),
                communication_errors(session.watch, session.ranks.elastic),
            ):
                import_module(f"app.stages.{module}").run(session)


def only_looks(session: Session) -> bool:
    """Whether no stage needs the run folder to itself."""
    return set(session.experiment.stages) <= LOOKING
