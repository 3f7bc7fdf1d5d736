"""Runs the program and prints which of its files were being executed at two moments, as JSON.

python followed_run.py FLAG …: {"train": files at the optimiser's first step, "metrics": files where
summary.csv is written}, outermost first.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

import app
from app.main import main
from app.metrics.table import Table

ROOT = Path(app.__file__).parent
FOUND: dict[str, list[str]] = {}


def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which notes at its first call by whom it was called."""

    def noting(*args: Any, **options: Any) -> Any:
        if name not in FOUND:
            files = [Path(frame.filename) for frame in traceback.extract_stack()]
            own = [str(f.relative_to(ROOT)) for f in files if f.is_relative_to(ROOT)]
            FOUND[name] = list(dict.fromkeys(own))
        return function(*args, **options)

    return noting


if __name__ == "__main__":
    optimiser = keras.optimizers.Optimizer
    optimiser.apply = watched("train", optimiser.apply)
    Table.write_csv = watched("metrics", Table.write_csv)  # type: ignore[method-assign]
    code = main(["train", "test", "metrics", *sys.argv[1:]])
    print(json.dumps(FOUND))
    sys.exit(code)
