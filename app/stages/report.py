"""Stage `report`: one HTML file of a run, or of several beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from absl import logging

from app import options
from app.data.description import ScoredFiles
from app.data.reading.paths import local
from app.data.shards.scored import compare
from app.errors import InputError, RunError, one_line
from app.options.readers import files
from app.ranks import Ranks
from app.report.page.comparison import comparison_page, facts_of
from app.report.page.run_facts import RunFacts
from app.report.page.run_page import run_page
from app.report.record import Record, record_of
from app.running.atomic import write_text
from app.running.run_files import FLAGFILE, REPORT
from app.session import Session
from app.tasks import task_named

MEBI = 2**20


def run(session: Session) -> None:
    """Write report.html of --save_path, or of the runs of --runs; the first rank does the work."""
    if not session.ranks.first:
        return
    experiment = session.experiment
    path = experiment.save_path / REPORT
    compared = files(experiment.flags["runs"], "runs")
    if compared:
        page = _comparison(session, tuple(map(local, compared)))
    else:
        facts = RunFacts.of(experiment.save_path)
        page = run_page(facts, *_record(facts, session))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, page)
    except OSError as error:
        raise InputError(f"report: {path} cannot be written ({one_line(error)})") from error
    logging.info("report: %s, %.1f MiB", path, len(page.encode()) / MEBI)


def _record(facts: RunFacts, session: Session) -> tuple[Record | None, str]:
    """The test period of a run, or why it cannot be shown."""
    try:
        if session.experiment.scored is not None:
            return _of_files(session.experiment.scored), ""
        own = _as_scored(facts, session)
        path = own.experiment.prediction
        if not path.is_file():
            return None, f"there is no prediction at {path}"
        shards = own.for_test.shards
        return task_named(shards.task).record(own.for_test, shards, path), ""
    except (InputError, RunError, OSError) as error:
        return None, one_line(error)


def _of_files(asked: ScoredFiles) -> Record:
    """Files that were scored against others."""
    from app.metrics.prediction import FilePrediction

    compared = compare(asked)
    return record_of(compared.data, FilePrediction(compared), with_coarse=asked.coarse is not None)


def _as_scored(facts: RunFacts, session: Session) -> Session:
    """A session by the flags that the run was made with, or without them by those given now."""
    given = session.experiment.flags
    if not (facts.folder / FLAGFILE).is_file():
        return Session(options.build(("metrics",), given), Ranks())
    named = {name: given[name] for name in ("data_module", "plugins", "output") if given[name]}
    named.setdefault("output", facts.flags.get("output"))
    return Session.of_run(facts.folder, "metrics", **named)


def _comparison(session: Session, folders: Sequence[Path]) -> str:
    """The page of several runs."""
    if session.experiment.given is not None and "save_path" not in session.experiment.given:
        raise InputError(
            f"--runs: expected --save_path=FOLDER as well, the folder that {REPORT} is written to"
        )
    runs = facts_of(folders)
    found = [_record(run, session) for run in runs]
    return comparison_page(runs, [r for r, _ in found], [reason for _, reason in found])
