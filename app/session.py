"""What the stages of one command share: prepared data, the data module, the joined ranks."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import logging

from app import backend, options
from app.data.description import DataDescription, Source
from app.data.reading.paths import is_source
from app.distributed import Communicator, connect
from app.distributed.exchange import Exchange
from app.distributed.libraries import chosen
from app.distributed.team import Team
from app.errors import InputError
from app.exit_codes import OK
from app.inference.kept import KeptModels
from app.options import Experiment
from app.ranks import Ranks
from app.running.guard import Guard
from app.running.run_folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.data.description import Variable
    from app.data.module import ModuleData
    from app.data.shards import Shards
    from app.data.streaming.observations import Observations
    from app.distributed.elastic import ElasticCommunicator
    from app.distributed.watch import Watch
    from app.grids import Grid

JOINED = {"train", "test"}  # stages whose ranks sum tensors; the others run without TensorFlow


class Session:
    """One command on one rank; each part is made when a stage first asks for it."""

    def __init__(
        self,
        experiment: Experiment,
        ranks: Ranks,
        parent: Session | None = None,
        joined: ElasticCommunicator | None = None,
        models: KeptModels | None = None,
    ) -> None:
        """`parent`: its ranks, guard and models serve here too; `joined`: ranks that have met
        already; `models`: those that were loaded for earlier sessions."""
        self.experiment = experiment
        self.ranks = ranks
        self.begun = time.monotonic()  # and when training began, where it has
        self.folder = RunFolder(experiment.save_path)
        self.guard: Guard = parent.guard if parent else Guard(experiment, ranks)
        self.models: KeptModels = parent.models if parent else models or KeptModels()
        self._parent = parent
        self._joined = joined
        self.watch: Watch | None = None
        self._connected: Communicator | None = None

    @classmethod
    def of_run(cls, run: Path, *stages: str, **changes: Any) -> Session:
        """These stages with the flags of an earlier run and a few changes to them, on one rank.

        InputError where the run's flags name code, which runs only where a user names it.
        """
        values = options.kept_values(run / "experiment.cfg")
        own = {"save_path": str(run), "output": None, "overwrite": False}
        asked = {**values, **own, **changes}
        for code in ("data_module", "plugins"):
            if asked[code] and code not in changes:
                raise InputError(
                    f"{run}: made with --{code}={asked[code]}, which is code; a run folder may be "
                    "anybody's, so that nothing it names is run"
                )
        return cls(options.build(stages, asked), Ranks())

    def adopt(self, experiment: Experiment) -> None:
        """Go on with other flags; data that they describe in another way are prepared anew."""
        if experiment.data != self.experiment.data:
            for name in ("description", "shards"):
                self.__dict__.pop(name, None)
        self.experiment = experiment

    @cached_property
    def for_test(self) -> Session:
        """The session of the stages test and metrics, whose pairs may differ from training's."""
        data = self.experiment.test_data
        if data is None:
            return self
        return Session(replace(self.experiment, data=data, test_data=None), self.ranks, self)

    @cached_property
    def team(self) -> Team:
        """All ranks, once they have come; from then on they watch each other."""
        if self._parent is not None:
            return self._parent.team
        if self._joined is not None:
            return self._introduced(self._joined.team)
        if self.ranks.size == 1:
            return self._introduced(Team.alone(self.ranks))
        from app.distributed.watch import Watch

        self.watch = Watch(
            self.ranks, self.experiment.save_path, self.experiment.launch, self._library
        )
        self.watch.ending = self.guard.fail
        return self._introduced(self.watch.gather())

    @cached_property
    def _library(self) -> str | None:
        """What joins the ranks; None where no stage has tensors to hand around."""
        if not JOINED & set(self.experiment.stages):
            return None
        return chosen(self.ranks, self.experiment.launch.communicator)

    @cached_property
    def exchange(self) -> Exchange:
        """The ranks, as they hand each other values without TensorFlow."""
        if self._parent is not None:
            return self._parent.exchange
        if self.ranks.size == 1 or self.ranks.elastic:
            return Exchange(check=self.guard.look)
        folder = self.folder.path / f".metrics.{self.team.token}"
        return Exchange(self.ranks, folder, self.guard.look)

    @property
    def threads(self) -> int:
        """Threads of this rank."""
        return self.experiment.machine.threads or self.team.threads()

    def leave(self, code: int, reason: str = "") -> None:
        """Tell the other ranks that, and how, this one ends."""
        if self._connected is not None and code == OK:
            self._connected.finish()  # while the watch still ends this rank if others fail
        if self.watch is not None:
            self.watch.leave(code, reason)

    def _introduced(self, team: Team) -> Team:
        threads = self.experiment.machine.threads or team.threads()
        logging.info(team.describe(self.ranks, threads))
        return team

    @cached_property
    def description(self) -> DataDescription:
        """The data, the built-in generator's file made and named where it is asked for."""
        data = self.experiment.data
        if data is None:
            raise InputError("this stage needs a description of the data")
        if data.idle:
            logging.info(
                "%s of %s: not used by --paired_samples=%s",
                ", ".join(data.idle),
                self.experiment.flags["data_config"],
                self.experiment.flags["paired_samples"],
            )
        return _with_generated(data, self.experiment.cache_dir)

    @cached_property
    def shards(self) -> Shards:
        """The prepared data, in the cache or staged to a local disk."""
        from app.data.shards import Shards
        from app.data.shards.coordinate_channels import with_coordinates
        from app.data.shards.prepare import prepare
        from app.data.shards.staging import staged

        sampling = self.experiment.sampling
        folder = prepare(
            self.description,
            scale=sampling.scale,
            halo=sampling.halo,
            cache_dir=self.experiment.cache_dir,
            ranks=self.ranks,
            needs=[stage for stage in ("train", "test") if stage in self.experiment.stages],
        )
        if self.experiment.stage_to is not None:
            folder = staged(folder, self.experiment.stage_to)
        shards = Shards.open(folder, self.experiment.verify)
        if not self.experiment.model.coordinate_channels:
            return shards
        if self.module is not None and self.module.truth is None:
            raise InputError(
                f"--coordinate_channels: {self.description.module} has no coordinates; expected "
                "gt_holdout_dataset, which carries them"
            )
        return with_coordinates(shards)

    def observations(self, shards: Shards) -> Observations | None:
        """The stations of --observations on the shards' fine grid."""
        calendar = shards.stamps(shards.splits[0]).calendar
        return self.stations(shards.geometry.fine, shards.variables["hr"], calendar)

    def stations(
        self, grid: Grid, variables: Sequence[Variable], calendar: str
    ) -> Observations | None:
        """The stations of --observations on any grid."""
        path = self.experiment.model.observations
        if path is None:
            return None
        from app.data.streaming.observations import open_observations

        return open_observations(Path(path).expanduser(), variables, grid, calendar)

    @cached_property
    def module(self) -> ModuleData | None:
        """The data module, where the experiment has one."""
        data = self.description
        if data.module is None:
            return None
        from app.data.module import load_module

        return load_module(
            data.module, explicit=data.module_explicit, inference_in_hr=data.module_inference_in_hr
        )

    @cached_property
    def communicator(self) -> Communicator:
        """All ranks, joined, with TensorFlow started as the run wants it."""
        if self._parent is not None:
            return self._parent.communicator
        if self._joined is not None:
            return self._joined
        experiment, team = self.experiment, self.team
        backend.start(experiment.machine, self.ranks, self.threads, experiment.training.seed)
        communicator = connect(self.ranks, team, experiment.launch, self._library)
        self._connected = communicator
        if self.watch is not None:
            self.watch.entered = lambda: communicator.entered
        return communicator


def _with_generated(data: DataDescription, cache_dir: Path) -> DataDescription:
    sources = [s for s in (data.predictand, data.low_resolution) if s is not None]
    files = {f for s in (*sources, *data.predictors, *data.static) for f in s.files}
    named_sources = sorted(filter(is_source, files))
    if not named_sources:
        return data
    from app.data.reading.generated import generated

    made = {file: generated(file, cache_dir) for file in named_sources}

    def named(source: Source) -> Source:
        return replace(source, files=tuple(made.get(file, file) for file in source.files))

    return replace(
        data,
        predictand=data.predictand and named(data.predictand),
        low_resolution=data.low_resolution and named(data.low_resolution),
        predictors=tuple(named(source) for source in data.predictors),
        static=tuple(named(source) for source in data.static),
    )
