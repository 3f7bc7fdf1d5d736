"""The training loop: epochs of steps that can be entered again at any step."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
from absl import logging

from app.data.streaming.sampler import Sampler
from app.data.streaming.samples import Samples
from app.distributed import Communicator
from app.errors import InputError, Interrupted, RunError
from app.integrity.archives import archive_damage
from app.integrity.blocks import file_crc
from app.options import SamplingConfig, TrainingConfig
from app.running.atomic import write_bytes
from app.running.disk_space import require
from app.running.guard import Guard
from app.running.progress import log_epoch, shown
from app.running.run_folder import RunFolder
from app.running.status import INTERRUPTED, TIME_FORMAT, peak_memory_mib
from app.training import checkpoints
from app.training.course import Course, Pass, TimedCourse
from app.training.history import HistoryFile, remake_history
from app.training.pace import Notices, Pace, Stopwatch
from app.training.position import Position
from app.training.state import capture, restore
from app.training.summaries import Summaries
from app.training.trainer import LEAVE, MEMORY, SAVE, STOP, Batch, Trainer

FLOAT = 4  # bytes
ENOUGH_STEPS = 8  # of a process, for the time that training takes to be foreseen


@dataclass
class Loop:
    """Trains one trainer on one set of samples into one run folder."""

    trainer: Trainer
    samples: Samples
    communicator: Communicator
    folder: RunFolder
    training: TrainingConfig
    sampling: SamplingConfig
    guard: Guard
    begun: float = field(
        default_factory=lambda: time.monotonic()
    )  # when this process began to train

    def __post_init__(self) -> None:
        self.ranks = self.communicator.ranks
        self.position = Position(epoch=self.training.trained_epochs)
        self.summaries = Summaries(
            self.folder.tensorboard if self.training.tensorboard and self.ranks.first else None
        )
        self.pace = Pace(self.training.checkpoint_every)
        self.notices = Notices(self.ranks)
        self.history = HistoryFile(self.folder.history)
        self._heard: Any = None
        self._steps_here = 0
        self._watch = Stopwatch(self.begun)
        self._course = self._made_course()

    def run(self) -> None:
        """Train to the last epoch from wherever the run folder's checkpoints are."""
        if self._restore():
            logging.info(
                "resuming at epoch %d, sample %d", self.position.epoch + 1, self.position.samples
            )
        self._look_at_room()
        self._say(self._course.begin(), logging.WARNING)
        with self.guard.interruption.deferred():
            self._remake()
            while not self.finished:
                self._epoch()
            self._keep_model()
            self._say(self._course.summary())
            self._say(self._course.shortfall(), logging.WARNING)
            self.summaries.close()
            self.communicator.barrier()  # the next stage of any rank reads the model

    def _say(self, text: str, level: int = logging.INFO) -> None:
        """A line of the first rank, where there is anything to say."""
        if text and self.ranks.first:
            logging.log(level, "%s", text)

    def _look_at_room(self) -> None:
        """NoRoom, before anything is trained, where the checkpoints to come do not fit."""
        if self.finished or not self.ranks.first:
            return
        state = sum(math.prod(v.shape) * FLOAT for v in self.trainer.variables().values())
        there = checkpoints.load_facts(self.folder.checkpoints) is not None
        require(self.folder.checkpoints, state * (1 if there else 2))  # one beside the last

    @property
    def finished(self) -> bool:
        return self.position.done(self.training)

    def _remake(self) -> None:
        """Make again what was damaged since the checkpoint and can be; InputError where not."""
        if not self.ranks.first:
            return
        remake_history(self.folder.history, self.position.history)
        has_best = self.training.save_bestmodel and math.isfinite(self.position.best_loss)
        damage = archive_damage(self.folder.best) if has_best else None
        if damage is None:
            return
        model, known = self.folder.model, self.position.best_crc
        if not (known and model.is_file() and file_crc(model) == known):
            raise InputError(
                f"{self.folder.best}: {damage}, and there is no copy of it; --overwrite starts anew"
            )
        logging.warning("%s: %s; taken from %s", self.folder.best, damage, model)
        write_bytes(self.folder.best, model.read_bytes())

    @property
    def _global_batch(self) -> int:
        return self._batch_size * self.ranks.size

    @cached_property
    def _batch_size(self) -> int:
        """Batch size of one rank, at most its share of the samples; more would be padding."""
        share = math.ceil(self.samples.size("train") / self.ranks.size)
        return min(self.sampling.batch_size, share)

    def _made_course(self) -> Course:
        """How far this run goes, seen from where it stands."""
        n, steps = self.samples.size("train"), self.sampling.max_steps
        whole = Pass(
            samples=min(n, steps * self._global_batch) if steps else n,
            batch=self._global_batch,
            validation_steps=math.ceil(self.samples.size("validation") / self._global_batch),
        )
        if self.training.time_budget is None:
            return Course(self.position, self.training, self.pace, whole)
        return TimedCourse(
            self.position,
            self.training,
            self.pace,
            whole,
            watch=self._watch,
            turns=self.samples.turns,
            follow=self.trainer.plan,
            communicator=self.communicator,
        )

    def _epoch(self) -> None:
        position = self.position
        self.samples.check_files()
        if position.samples == 0:
            self.trainer.start_epoch()
        begun, first_sample = time.monotonic(), position.samples
        self.pace.begin_epoch(first_sample)
        self._course.begin_epoch()
        steps = math.ceil((self._course.epoch_samples - first_sample) / self._global_batch)
        sampler = self._sampler("train", position.epoch, start=first_sample)
        title = f"epoch {position.epoch + 1}/{self._course.epochs}"
        with self.samples.batches("train", sampler) as stream:
            for batch in shown(islice(stream, steps), steps, title, self.ranks.first):
                self._step(batch)
                if position.samples >= self._course.epoch_samples:
                    break
        losses = self._finite(self.trainer.epoch_losses())
        rate = (position.samples - first_sample) / max(time.monotonic() - begun, 1e-9)
        self._end_epoch(losses, rate, begun)

    def _step(self, batch: Batch) -> None:
        """One step of all ranks, and what they agree to do after it.

        Notices travel with the gradients. Those of the step before are read, so that nobody
        waits for an accelerator, and the same ones on every rank: all act after the same step.
        """
        position, interruption = self.position, self.guard.interruption
        save = self.ranks.first and (self.pace.time_to_save or self.communicator.regrouping)
        stop, leave = self._requests()
        if self.notices.change(stop=stop, save=save, leave=leave):
            self.trainer.post(self.notices.values)
        self.trainer.train_step(batch)
        position.samples = min(position.samples + self._global_batch, self._course.epoch_samples)
        position.total_steps += 1
        self._steps_here += 1
        if self._steps_here == 1:  # which compiles: the time to go is judged by later ones
            self.pace.passed(self._course.passed)
        interruption.reserve = self.pace.step_done()
        heard, self._heard = self._heard, self.trainer.heard()
        agreed = np.zeros(MEMORY + 1) if heard is None else np.asarray(heard)
        self._obey(agreed[STOP], agreed[LEAVE])
        self._course.step_done()
        if self._steps_here == ENOUGH_STEPS:
            self._say(self._course.announcement())
        within = position.samples < self._course.epoch_samples
        if agreed[SAVE] or (within and self.pace.step_to_save(position.total_steps)):
            self._checkpoint()
        if self.guard.status.due:
            self._report(agreed[MEMORY:].max())

    def _requests(self) -> tuple[bool, bool]:
        """Whether all ranks are to stop, as this one knows, and whether it is to leave the job."""
        interruption = self.guard.interruption
        return interruption.requested and not interruption.leaving, interruption.leaving

    def _obey(self, stops: float, leaves: float) -> None:
        """Act on how many ranks voted to stop or to leave.

        Where only some leave, a checkpoint is written first, from which the others go on.
        """
        if stops or leaves == self.ranks.size:
            self._stop()
        elif leaves:
            self._checkpoint()
            self.guard.interruption.check()

    def _stop(self) -> None:
        """Write a checkpoint and end; every rank has come here after the same step."""
        self._checkpoint()
        request = Interrupted(self.guard.interruption.reason or "another rank was asked")
        self.guard.status.end(INTERRUPTED, reason=str(request))
        self.communicator.barrier()  # launchers end all ranks when the first has left
        raise request

    def _end_epoch(self, losses: dict[str, float], rate: float, begun: float) -> None:
        position = self.position
        self.trainer.synchronise()
        self._report(0, phase="validation")
        validation_begun = time.monotonic()
        with self.trainer.averaged():
            self.trainer.calibrate(self._validation_batches)
            val_loss = self.trainer.validate(self._validation_batches())
        validation_s = time.monotonic() - validation_begun
        stops, leaves = np.sum(self.communicator.gather(self._requests()), axis=0)
        self._obey(stops, leaves)
        with self.trainer.averaged():
            self._judge(val_loss)
        position.epoch, position.samples = position.epoch + 1, 0
        row = {
            "epoch": float(position.epoch),
            **losses,
            "val_loss": val_loss,
            "learning_rate": self.trainer.rate(),
            "samples_per_s": rate,
            "seconds": time.monotonic() - begun,
        }
        position.history.append(row)
        self._course.end_epoch(validation_s)
        self._record(row)
        every = self.training.checkpoints_frequency
        due = self.pace.step_to_save(position.total_steps)
        if self.finished or due or (every and position.epoch % every == 0):
            self._checkpoint()

    def _judge(self, val_loss: float) -> None:
        """Keep the best model; count the epochs that brought no gain."""
        position, training = self.position, self.training
        if val_loss < position.best_loss - training.min_delta:
            position.best_loss, position.epochs_without_gain = val_loss, 0
            if training.save_bestmodel and self.ranks.first:
                self.samples.confirm()
                self.folder.checkpoints.mkdir(exist_ok=True)
                self.trainer.save(self.folder.best)
                position.best_crc = file_crc(self.folder.best)
        else:
            position.epochs_without_gain += 1
        if training.early_stopping and position.epochs_without_gain >= training.patience:
            position.stopped_early = True
            logging.info("stopping early: no gain in %d epochs", training.patience)

    def _record(self, row: dict[str, float]) -> None:
        if not self.ranks.first:
            return
        log_epoch(row, self._course.epochs, self._course.eta)
        self.summaries.write(row)
        self.history.keep(self.position.history)
        self._report(0, samples_per_s=row["samples_per_s"], loss=row["loss"])

    def _report(self, memory_mib: float, **facts: Any) -> None:
        """Where the run stands, to status.json."""
        if not self.ranks.first:
            return
        position, history = self.position, self.position.history
        known = {
            "phase": "training",
            "epoch": min(position.epoch + 1, self._course.epochs),
            "epochs": self._course.epochs,
            "step": position.total_steps,
            "samples_per_s": self.pace.rate(position.samples),
            "loss": self.trainer.epoch_losses()["loss"],
            "val_loss": history[-1]["val_loss"] if history else None,
            "eta_s": self._course.eta,
            "memory_mib": max(int(memory_mib), peak_memory_mib()),
            "ranks": self.ranks.size,
        }
        self.guard.status.update(**{**known, **facts})

    def _checkpoint(self) -> None:
        self.samples.confirm()
        begun = time.monotonic()
        self.position.seconds = self._watch.seconds
        arrays = capture(self.trainer, self.communicator)
        checkpoint = checkpoints.Checkpoint(arrays, asdict(self.position))
        if self.ranks.first:
            saved = checkpoints.save(self.folder.checkpoints, self.position.total_steps, checkpoint)
            self.guard.status.update(
                last_checkpoint=saved.name, checkpoint_time=time.strftime(TIME_FORMAT)
            )
        self.pace.saved(time.monotonic() - begun)
        self.communicator.commit(str(self.folder.path), checkpoint)

    def _restore(self) -> bool:
        committed = self.communicator.committed(str(self.folder.path))
        checkpoint = committed or checkpoints.load(self.folder.checkpoints, Position)
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
        self._watch = Stopwatch(self.begun, self.position.seconds)
        self._course = self._made_course()
        return True

    def _keep_model(self) -> None:
        """model.keras: the best of the run, or its last."""
        if not (self.training.save and self.ranks.first):
            return
        if self.training.save_bestmodel:
            write_bytes(self.folder.model, self.folder.best.read_bytes())
        else:
            with self.trainer.averaged():
                self.trainer.save(self.folder.model)
        logging.info("trained model: %s", self.folder.model)

    def _validation_batches(self) -> Iterator[Batch]:
        """Validation runs without reductions: a rank that is asked to stop cuts its own short."""
        sampler = self._sampler("validation", 0, shuffle=False)
        steps = min(sampler.steps, self.sampling.max_steps or sampler.steps)
        interruption = self.guard.interruption
        with self.samples.batches("validation", sampler) as stream:
            for batch in islice(stream, steps):
                yield batch
                if interruption.requested:
                    interruption.spread()
                    return

    def _sampler(self, split: str, epoch: int, shuffle: bool = True, start: int = 0) -> Sampler:
        return Sampler(
            n=self.samples.size(split),
            seed=self.training.seed,
            epoch=epoch,
            rank=self.ranks.rank,
            size=self.ranks.size,
            batch_size=self._batch_size,
            shuffle=shuffle,
            start=start,
            progress=self._course.progress,
        )

    def _finite(self, losses: dict[str, float]) -> dict[str, float]:
        for name, loss in losses.items():
            if not math.isfinite(loss):
                raise RunError(
                    f"training {name} is {loss} in epoch {self.position.epoch + 1}; a lower "
                    f"--learning_rate than {self.training.learning_rate[0]} may help"
                )
        return losses
