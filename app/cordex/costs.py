"""What a submission cost, for the form of registration: a row a model."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np

from app.cordex.places import Places, Task
from app.errors import InputError
from app.report.page.cost import cost
from app.report.page.run_facts import RunFacts
from app.running.atomic import read_json, write_text

PREDICTED = "Seconds a file of predictors, both targets"


def write_costs(places: Places, tasks: Sequence[Task]) -> str:
    """Write costs.csv; what it says, as text. InputError where no model is trained."""
    trained = [task for task in tasks if (places.run(task) / "provenance.json").is_file()]
    if not trained:
        raise InputError(f"{places.folder}: no model is trained; expected runs of `cordex train`")
    rows = []
    seconds = read_json(places.times) or {}
    for task in trained:
        begin = f"{task.domain}_Domain/{task.experiment}/"
        own = [value for name, value in seconds.items() if name.startswith(begin)]
        row = {"Model": task.name, **dict(cost(RunFacts(places.run(task))))}
        rows.append(row | ({PREDICTED: f"{np.median(own):.1f}"} if own else {}))
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(places.sheet, text.getvalue())
    lines = [f"{rows[0]['Model']} and {len(rows) - 1} more: {places.sheet}"]
    lines += [f"  {name}: {value}" for name, value in rows[0].items() if name != "Model"]
    return "\n".join(lines)
