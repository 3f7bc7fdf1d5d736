"""A trained model in Python: xarray in, xarray out, by the same way as the stage test."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from app.arrays import Json
from app.door.datasets import Data, as_files, names_of
from app.door.guest import run_as_guest
from app.errors import InputError
from app.inference.kept import KeptModels
from app.inference.writer import history_line
from app.model_archive import read_config, refuse_without_plugins
from app.plugins import use
from app.running.run_folder import model_file

GIVEN = "the data given"  # what messages call a dataset that has no file
OWN = frozenset({"model", "input", "save_path", "cache_dir"})  # flags that `predict` fills in


def load(path: str | Path, plugins: str | Sequence[str] | None = None) -> Model:
    """A trained model, or a stack of several in one file, for prediction.

    `path`: a run folder or a .keras file. `plugins`: Python files whose classes the model needs;
    these are run. Raises InputError where there is no trained model.
    """
    file = model_file(Path(path).expanduser(), str(path))
    names = tuple(map(str, names_of(plugins))) if plugins else ()
    use(names)
    refuse_without_plugins(read_config(file), file)
    return Model(file, names)


class Model:
    """A trained model; it is read when it is first used, and kept as long as this object."""

    def __init__(self, path: Path, plugins: tuple[str, ...] = ()) -> None:
        self.path = path
        self._plugins = plugins
        self._models = KeptModels()

    def __repr__(self) -> str:
        return f"Model({str(self.path)!r})"

    def predict(
        self,
        data: Data,
        *,
        members: int = 1,
        seed: int = 0,
        tile_size: int | None = None,
        target_step: str | None = None,
        times: Iterable[str | datetime | np.datetime64] | None = None,
        verbose: bool = False,
        **options: Any,
    ) -> xr.Dataset:
        """Fine fields (time, lat, lon) of coarse ones, members first if there are several.

        The same as the stage test with --model and --input, bit for bit: the same readers, units,
        regridding and refusals.

        Arguments:
            data: a dataset, or names of files, on any grid that covers the model's coarse grid,
                in any units that convert to those of training.
            members, seed: fields drawn of a model that can draw, and the seed of what is drawn.
            tile_size: predict in tiles of this many fine cells a side.
            target_step, times: for models in time, the wanted time step, such as "1h", or times.
            verbose: show what the program says, not warnings alone.
            options: further flags of the stage test, such as `uncovered="mask"`; with `output` the
                fields stay in that file and are read from it when they are used.

        Raises InputError, in one line, for data that do not suit the model.
        """
        for name in OWN & options.keys():
            raise InputError(f"predict({name}=…): not a choice here; the model and data are given")
        given = {"members": members, "seed": seed, **options}
        given |= {"plugins": self._plugins} if self._plugins else {}
        given |= {} if tile_size is None else {"tile_size": tile_size}
        given |= {} if target_step is None else {"target_step": target_step}
        given |= {} if times is None else {"target_times": [_iso(time) for time in times]}
        with tempfile.TemporaryDirectory(prefix="finescale-") as name:
            place = Path(name)
            files = as_files(data, place / "input.nc")
            own = {"model": self.path, "input": files, "save_path": place / "run"}
            own["cache_dir"] = place / "cache"
            try:
                session = run_as_guest(["test"], own | given, verbose=verbose, models=self._models)
            except InputError as error:
                raise InputError(str(error).replace(str(place / "input.nc"), GIVEN)) from None
            path = session.experiment.prediction
            if "output" in options:
                return xr.open_dataset(path)
            fields = xr.load_dataset(path).drop_encoding()
        fields.attrs["history"] = history_line(f"{self}.predict({_as_written(given)})")
        return fields


def _iso(time: Any) -> str:
    """A time as flags take it."""
    if isinstance(time, str):
        return time
    if isinstance(time, np.datetime64):
        time = pd.Timestamp(time)
    return str(time.isoformat(timespec="seconds"))


def _as_written(given: Json) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in given.items())
