"""The training loop: epochs of steps that can be entered again at any step."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from absl import logging

from app.atomic import write_text
from app.config import SamplingConfig, TrainingConfig
from app.data.batches import batches
from app.data.sampler import Sampler
from app.data.shards import Shards
from app.distributed import Communicator
from app.errors import InputError, RunError
from app.run_folder import RunFolder
from app.training import checkpoints
from app.training.progress import log_epoch, shown
from app.training.state import capture, restore
from app.training.summaries import Summaries
from app.training.trainer import Trainer


@dataclass
class Position:
    """How far a run is; with the trainer's variables this is its whole state."""

    epoch: int = 0
    step: int = 0
    total_steps: int = 0
    best_loss: float = math.inf
    epochs_without_gain: int = 0
    stopped_early: bool = False
    history: list[dict[str, float]] = field(default_factory=list)

    def done(self, training: TrainingConfig) -> bool:
        """Whether all epochs are behind, or early stopping has said so."""
        stopped = self.stopped_early and training.early_stopping
        return stopped or self.epoch >= training.epochs


def already_trained(folder: RunFolder, training: TrainingConfig) -> bool:
    """Whether an earlier call has finished this run; looks at the folder alone."""
    facts = checkpoints.load_facts(folder.checkpoints)
    finished = facts is not None and Position(**facts).done(training)
    return finished and (folder.model.is_file() or not training.save)


@dataclass
class Loop:
    """Trains one trainer on one set of shards into one run folder."""

    trainer: Trainer
    shards: Shards
    communicator: Communicator
    folder: RunFolder
    training: TrainingConfig
    sampling: SamplingConfig

    def __post_init__(self) -> None:
        self.ranks = self.communicator.ranks
        self.position = Position(epoch=self.training.trained_epochs)
        self.summaries = Summaries(
            self.folder.tensorboard if self.training.tensorboard and self.ranks.first else None
        )

    def run(self) -> None:
        """Train to the last epoch from wherever the run folder's checkpoints are."""
        if self._restore():
            logging.info(
                "resuming at epoch %d, step %d", self.position.epoch + 1, self.position.step
            )
        while not self.finished:
            self._epoch()
        self._keep_model()
        self.summaries.close()
        self.communicator.barrier()  # the next stage of any rank reads the model

    @property
    def finished(self) -> bool:
        return self.position.done(self.training)

    def _epoch(self) -> None:
        position = self.position
        sampler = self._sampler("train", position.epoch)
        steps = self._bounded(sampler.steps)
        if position.step == 0:
            self.trainer.start_epoch()
        begun, first_step = time.monotonic(), position.step
        stream = batches(
            self.shards,
            "train",
            sampler,
            patch=self.sampling.patch_size,
            start_step=position.step,
        )
        title = f"epoch {position.epoch + 1}/{self.training.epochs}"
        for batch in shown(
            islice(stream, steps - position.step), steps - first_step, title, self.ranks.first
        ):
            self.trainer.train_step(batch)
            position.step += 1
            position.total_steps += 1
            every = self.training.checkpoint_every
            if every and position.total_steps % every == 0 and position.step < steps:
                self._checkpoint()
        losses = self._finite(self.trainer.epoch_losses())
        seconds = time.monotonic() - begun
        self._end_epoch(losses, (steps - first_step) / max(seconds, 1e-9), begun)

    def _end_epoch(self, losses: dict[str, float], steps_per_second: float, begun: float) -> None:
        position = self.position
        self.trainer.synchronise()
        with self.trainer.averaged():
            val_loss = self.trainer.validate(self._validation_batches())
            self._judge(val_loss)
        position.epoch, position.step = position.epoch + 1, 0
        row = {
            "epoch": float(position.epoch),
            **losses,
            "val_loss": val_loss,
            "learning_rate": self.trainer.rate(),
            "samples_per_s": steps_per_second * self.sampling.batch_size * self.ranks.size,
            "seconds": time.monotonic() - begun,
        }
        position.history.append(row)
        self._record(row)
        every = self.training.checkpoints_frequency
        if self.finished or (every and position.epoch % every == 0):
            self._checkpoint()

    def _judge(self, val_loss: float) -> None:
        """Keep the best model; count the epochs that brought no gain."""
        position, training = self.position, self.training
        if val_loss < position.best_loss - training.min_delta:
            position.best_loss, position.epochs_without_gain = val_loss, 0
            if training.save_bestmodel and self.ranks.first:
                self.folder.checkpoints.mkdir(parents=True, exist_ok=True)
                self.trainer.save(self.folder.best)
        else:
            position.epochs_without_gain += 1
        if training.early_stopping and position.epochs_without_gain >= training.patience:
            position.stopped_early = True
            logging.info("stopping early: no gain in %d epochs", training.patience)

    def _record(self, row: dict[str, float]) -> None:
        if not self.ranks.first:
            return
        log_epoch(row, self.training.epochs, row["seconds"])
        self.summaries.write(row)
        write_text(self.folder.history, _as_csv(self.position.history))
        self.folder.write_status(
            stage="train",
            state="finished" if self.finished else "running",
            epochs=self.training.epochs,
            **row,
        )

    def _checkpoint(self) -> None:
        self.trainer.synchronise()
        facts = asdict(self.position)
        arrays = capture(self.trainer, self.communicator)
        if self.ranks.first:
            checkpoints.save(
                self.folder.checkpoints,
                self.position.total_steps,
                checkpoints.Checkpoint(arrays, facts),
            )

    def _restore(self) -> bool:
        checkpoint = checkpoints.load(self.folder.checkpoints)
        steps = checkpoint.facts["total_steps"] if checkpoint else -1
        seen = self.communicator.gather(steps)
        if len(set(seen)) > 1:
            raise InputError(
                f"{self.folder.checkpoints}: the ranks see different checkpoints ({seen}); "
                "expected one folder that all of them share"
            )
        if checkpoint is None:
            return False
        restore(self.trainer, checkpoint.arrays, self.ranks)
        self.position = Position(**checkpoint.facts)
        return True

    def _keep_model(self) -> None:
        """model.keras: the best of the run, or its last."""
        if not (self.training.save and self.ranks.first):
            return
        if self.training.save_bestmodel:
            temporary = self.folder.model.with_suffix(".part")
            temporary.write_bytes(self.folder.best.read_bytes())
            temporary.replace(self.folder.model)
        else:
            with self.trainer.averaged():
                self.trainer.save(self.folder.model)
        logging.info("trained model: %s", self.folder.model)

    def _validation_batches(self) -> Iterator[dict[str, Any]]:
        sampler = self._sampler("validation", 0, shuffle=False)
        stream = batches(self.shards, "validation", sampler, patch=self.sampling.patch_size)
        return islice(stream, self._bounded(sampler.steps))

    def _sampler(self, split: str, epoch: int, shuffle: bool = True) -> Sampler:
        return Sampler(
            n=self.shards.size(split),
            seed=self.training.seed,
            epoch=epoch,
            rank=self.ranks.rank,
            size=self.ranks.size,
            batch_size=self.sampling.batch_size,
            shuffle=shuffle,
        )

    def _bounded(self, steps: int) -> int:
        return min(steps, self.sampling.max_steps or steps)

    def _finite(self, losses: dict[str, float]) -> dict[str, float]:
        for name, loss in losses.items():
            if not math.isfinite(loss):
                raise RunError(
                    f"training {name} is {loss} in epoch {self.position.epoch + 1}; a lower "
                    f"--learning_rate than {self.training.learning_rate[0]} may help"
                )
        return losses


def _as_csv(rows: list[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
