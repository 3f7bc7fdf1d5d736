"""What is swept, and how its members are run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from app.options.bounds import Bounds
from app.options.option import Options, option
from app.options.readers import listed, or_blank
from app.options.rules import Rule
from app.options.run import FolderOptions


@dataclass(frozen=True)
class SweepOptions(Options):
    """What is swept, and how its members are run."""

    sweep: str | None = option(
        None,
        "Stage sweep: FLAG=VALUE,VALUE;FLAG=VALUE… (brackets around a value with commas), "
        "or a YAML file.",
        common=True,
    )
    sweep_stages: tuple[str, ...] = option(
        "train,test,metrics", "Stages that each member runs.", read=listed
    )
    jobs: int = option(1, "Members that run at a time.", bounds=Bounds(1, 4096))
    submit: bool = option(False, "Submit the members as one Slurm array.")
    sbatch_options: str = option(
        None, "Options of that array, or of the job of init, as sbatch takes them.", read=or_blank
    )
    dry_run: bool = option(
        False, "Show the members of a sweep, with --submit their script, and write and run nothing."
    )
    collect: bool = option(False, "Only collect the scores of a sweep that has run.")


@dataclass(frozen=True, kw_only=True)
class SweepConfig(SweepOptions, FolderOptions):
    """A sweep: its folder, what its members share, and how they are run.

    stages: of --sweep_stages, in their order. shared: the command line that all members have in
    common; given_flags: the flags named in it. threads: of one member; None for all there are.
    """

    stages: tuple[str, ...]
    shared: tuple[str, ...]
    given_flags: frozenset[str]
    threads: int | None

    rules: ClassVar[tuple[Rule[SweepConfig], ...]] = (
        Rule(
            lambda s: s.collect == bool(s.sweep),
            "sweep: expected --sweep='FLAG=VALUE,VALUE;…' or --sweep=FILE.yml to run one, or "
            "--collect to read what has run",
        ),
        Rule(
            lambda s: s.sbatch_options and not s.submit,
            "--sbatch_options without --submit: nothing is given to sbatch",
        ),
    )
