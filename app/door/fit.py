"""A session of the stages from Python: training, prediction and scores of one flagfile."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from app.door.guest import run_as_guest
from app.door.model import Model, load
from app.door.tables import read_table
from app.errors import InputError
from app.running.run_folder import RunFolder

if TYPE_CHECKING:
    from app.session import Session


def fit(
    flagfile: str | Path | None = None,
    *,
    stages: Sequence[str] = ("train", "test", "metrics"),
    verbose: bool = False,
    **options: Any,
) -> Run:
    """Run the stages of a flagfile in this process, and return what is in the run folder then.

    As on the command line the same call goes on where an earlier one ended, more epochs extend it,
    and a folder that other flags have made is refused.

    Example: `fit("flagfiles/quickstart.cfg", epochs=5, save_path="runs/five")`

    Arguments:
        flagfile: the experiment; `options` beat its flags.
        stages: what to do.
        verbose: show what the program says, not warnings alone.
        options: any flag as a keyword, such as `epochs=5` or `loss="mse"`; lists as lists.

    Ctrl-C ends it as it ends any Python call; what was kept by then stays. Raises InputError, in
    one line, for what is refused, and RunError for a run that cannot go on.
    """
    name = None if flagfile is None else str(flagfile)
    return Run.of(run_as_guest(stages, options, name, verbose))


class Run:
    """A run folder: its model, its history, its prediction and its scores."""

    def __init__(self, folder: str | Path, plugins: str | None = None) -> None:
        self.folder = Path(folder)
        self._plugins = plugins

    @classmethod
    def of(cls, session: Session) -> Run:
        """The run of a session."""
        return cls(session.experiment.save_path, session.experiment.flags["plugins"])

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @cached_property
    def model(self) -> Model:
        """The trained model. Raises InputError where there is none."""
        return load(self.folder, self._plugins)

    @property
    def history(self) -> pd.DataFrame:
        """Losses and rates (samples/s), a row an epoch. Raises InputError where none is kept."""
        return pd.read_csv(self._there(RunFolder(self.folder).history), index_col="epoch")

    @property
    def table(self) -> pd.DataFrame:
        """Scores beside those of the baselines; see `read_table`."""
        return read_table(self._there(RunFolder(self.folder).metrics / "summary.csv").parent)

    @property
    def prediction(self) -> xr.Dataset:
        """Predicted fields of the test period, read when they are used."""
        return xr.open_dataset(self._there(self.folder / "y_hat.nc"))

    def _there(self, path: Path) -> Path:
        if not path.is_file():
            raise InputError(f"{path}: not there; the stage that writes it has not run")
        return path
