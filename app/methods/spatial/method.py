"""Methods that make fields finer. Imports no TensorFlow until one trains."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.errors import InputError
from app.methods.method import Method
from app.methods.one_phase import OnePhase, Parts, steps_per_epoch
from app.options.chosen import trained_for

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.models import PhysicalModel
    from app.options import Experiment
    from app.ranks import Ranks
    from app.session import Session
    from app.training.trainer import Trainer

    MakeTrainer = Callable[..., Trainer]


class SpatialMethod(Method):
    """A method whose samples are coarse fields and the fine ones of the same times."""

    def refuse(self, experiment: Experiment) -> None:
        super().refuse(experiment)
        values, scale = experiment.flags, experiment.sampling.scale
        in_time = trained_for("time")
        if scale < 2:
            raise InputError(f"--scale={scale}: expected 2 or more, or --trainer={in_time}")
        if values["target_step"] and "train" in experiment.stages:
            raise InputError(
                f"--target_step={values['target_step']} with --trainer={values['trainer']}: it "
                f"trains in space alone; expected --trainer={in_time}"
            )
        if experiment.inference.temporal_model and "metrics" in experiment.stages:
            raise InputError(
                "metrics with --temporal_model: the chain's new times have no scores; run the "
                "stage test alone, and metrics for each of both models"
            )

    def check_data(self, experiment: Experiment, shards: Shards) -> None:
        from app.methods.spatial.checks import check_fields

        check_fields(experiment, shards)

    def kept_values(self, experiment: Experiment, coarse: int, fine: int) -> int:
        from app.training.footprint import network_values

        model = experiment.model
        return network_values(model, fine if model.upsampling == "pin" else coarse, fine)


class FieldMethod(SpatialMethod, OnePhase):
    """A method that trains one network on such samples."""

    @abstractmethod
    def model_and_trainer(
        self, experiment: Experiment, shards: Shards, ranks: Ranks
    ) -> tuple[PhysicalModel, MakeTrainer]:
        """The untrained model, and what makes its trainer.

        The latter is called as `NetworkTrainer` is. `build_model` in `app.methods.spatial.model`
        gives the model of the model flags.
        """

    def build(self, session: Session, shards: Shards) -> Parts:
        from app.data.streaming.samples import FieldSamples
        from app.methods.spatial.checks import accumulated
        from app.training.density import fit_dense_weights

        experiment, communicator = session.experiment, session.communicator
        sampling = experiment.sampling
        samples = FieldSamples(
            shards, sampling.patches, sampling.time_window, session.observations(shards)
        )
        model, make_trainer = self.model_and_trainer(experiment, shards, session.ranks)
        _transfer(model, session)
        dense = fit_dense_weights(
            experiment.training, shards, communicator, accumulated(experiment)
        )
        trainer = make_trainer(
            model,
            experiment.training,
            communicator,
            steps_per_epoch=steps_per_epoch(sampling, samples, session.ranks),
            data_range=shards.scaling["hr"].data_range,
            dense=dense,
        )
        return Parts(model, samples, trainer, dense)

    def begin(self, session: Session, shards: Shards, parts: Parts) -> None:
        from app.training.density import write_dense_weights

        overwrite = session.experiment.overwrite
        begin_fields(session, shards, parts.model, overwrite=overwrite)
        if parts.dense:
            write_dense_weights(
                session.folder.dense_weights,
                parts.dense,
                shards.variables["hr"],
                session.experiment.training,
            )


def _transfer(model: PhysicalModel, session: Session) -> None:
    """Give the model of a fresh run the weights of --init_from, and freeze those of --freeze."""
    from app.training.checkpoints import load_facts
    from app.training.transfer import freeze, initialise

    experiment, transfer = session.experiment, session.experiment.transfer
    if transfer.init_from and (
        experiment.overwrite or load_facts(session.folder.checkpoints) is None
    ):
        # Before the run folder is begun, so that a refusal leaves no trace in it.
        initialise(model, transfer)
    freeze(model, transfer.freeze)


def begin_fields(
    session: Session, shards: Shards, model: PhysicalModel, *, overwrite: bool
) -> None:
    """What a run folder holds before its training starts, the climate of the inputs with it."""
    from app.inference.correction import CLIMATE, write_input_climate
    from app.training.begin import begin_run

    begin_run(session, model, overwrite=overwrite)
    if shards.has_times:
        write_input_climate(session.folder.path / CLIMATE, shards)
