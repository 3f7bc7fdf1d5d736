"""The training loop around a trainer of one number: epochs, validation, stopping, going on."""

import contextlib
import csv
import math
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.data.streaming.batches import BatchIterator
from app.data.streaming.sampler import Sampler
from app.distributed import Communicator
from app.durations import NEVER
from app.errors import Interrupted, RunError
from app.integrity.archives import MEMBERS
from app.options import build, parse
from app.ranks import Ranks
from app.running.guard import Guard
from app.running.run_folder import RunFolder
from app.training import budget, loop, pace
from app.training.loop import Loop
from app.training.pace import Pace
from app.training.position import already_trained

SIZES = {"train": 10, "validation": 5}
FALLING = [9.0 - epoch for epoch in range(12)]  # a validation that was cut short is repeated


class Number:
    """A variable as Keras has them."""

    shape = ()

    def __init__(self, value: float) -> None:
        self.value = np.float64(value)

    def numpy(self) -> np.float64:
        return self.value

    def assign(self, value: Any) -> None:
        self.value = np.float64(value)


class Trainer:
    """Its state is a number that depends on every sample seen, and on their order.

    losses: what each validation gives. fails_at: the step, counted from 1, that is never taken.
    """

    def __init__(self, losses: list[float] = FALLING, fails_at: int = 0) -> None:
        self.state, self.validations, self.steps = Number(1.0), Number(0), Number(0)
        self.losses, self.fails_at = losses, fails_at
        self.trained: list[list[int]] = []
        self.validated: list[list[int]] = []
        self.loss = 1.0
        self.plans: list[tuple[int, float, int]] = []
        self.notices = self.last = np.zeros(4)

    def start_epoch(self) -> None:
        self.trained.append([])

    def plan(self, step: int, progress: float, steps: int) -> None:
        self.plans.append((step, progress, steps))

    def train_step(self, batch: dict[str, np.ndarray]) -> None:
        self.steps.assign(self.steps.value + 1)
        if self.steps.value == self.fails_at:
            raise MemoryError
        rows = batch["index"][batch["weight"] > 0].tolist()
        self.trained[-1] += rows
        for row in rows:
            self.state.assign(0.9 * self.state.value + row)
        self.last = self.notices.copy()

    def epoch_losses(self) -> dict[str, float]:
        return {"loss": self.loss}

    def calibrate(self, batches: Any) -> None:
        pass

    def validate(self, batches: Iterator[dict[str, np.ndarray]]) -> float:
        self.validated.append([i for b in batches for i in b["index"][b["weight"] > 0].tolist()])
        self.validations.assign(self.validations.value + 1)
        return self.losses[int(self.validations.value) - 1]

    def synchronise(self) -> None:
        pass

    def averaged(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def save(self, path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in MEMBERS:
                archive.writestr(name, repr(float(self.state.value)))

    def variables(self) -> dict[str, Any]:
        return {"state": self.state, "validations": self.validations, "steps": self.steps}

    def seeds(self) -> list[Any]:
        return []

    def post(self, notices: np.ndarray) -> None:
        self.notices = notices.copy()

    def heard(self) -> np.ndarray:
        return self.last

    def local(self) -> list[Any]:
        return []

    def rate(self) -> float:
        return 0.5


class Samples:
    """Numbers of samples, without anything in them."""

    turns: tuple[float, ...] = ()

    def size(self, split: str) -> int:
        return SIZES[split]

    def check_files(self) -> None:
        pass

    def confirm(self) -> None:
        pass

    def batches(self, split: str, sampler: Sampler) -> BatchIterator:
        def make(step: int) -> dict[str, np.ndarray]:
            index, weight = sampler.batch(step)
            return {"index": index, "weight": weight}

        return BatchIterator(make, range(sampler.steps), 1)


def train(folder: Path, trainer: Trainer, *flags: str, epochs: int = 4) -> Loop:
    """Train, or go on, in steps of three samples."""
    words = ["train", "--data=synthetic", "--variable=t2m", f"--save_path={folder}"]
    words += ["--batch_size=3", f"--epochs={epochs}", "--notensorboard", *flags]
    experiment = build(*parse(words))
    with Guard(experiment, Ranks()) as guard:
        loop = Loop(
            trainer,
            Samples(),
            Communicator(Ranks()),
            RunFolder(folder),
            experiment.training,
            experiment.sampling,
            guard,
        )
        loop.run()
    return loop


def in_model(folder: Path) -> float:
    """The state that was saved as the trained model."""
    with zipfile.ZipFile(folder / "model.keras") as archive:
        return float(archive.read(min(MEMBERS)))


def history(folder: Path) -> list[dict[str, str]]:
    with open(folder / "history.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_epoch_sees_all_samples_once_and_validates_all(tmp_path: Path) -> None:
    trainer = Trainer()
    loop = train(tmp_path, trainer, epochs=2)
    assert [sorted(epoch) for epoch in trainer.trained] == [list(range(10))] * 2
    assert trainer.trained[0] != trainer.trained[1]  # shuffled anew
    assert trainer.validated == [list(range(5))] * 2  # in their order
    assert loop.position.total_steps == 2 * math.ceil(10 / 3)
    assert [(row["epoch"], row["val_loss"]) for row in history(tmp_path)] == [
        *(("1", "9"), ("2", "8"))
    ]
    assert already_trained(RunFolder(tmp_path), loop.training)


@pytest.mark.parametrize(
    ("flags", "losses", "epochs", "best"),
    [
        (["--early_stopping", "--patience=2"], [5, 4, 4.5, 4, 1, 1], 4, 2),
        (["--early_stopping", "--patience=3"], [5, 4, 4.5, 4, 1, 2], 6, 5),
        (["--early_stopping", "--patience=2", "--min_delta=0.5"], [5, 4.6, 4.4, 4, 1, 1], 6, 5),
        (["--early_stopping", "--patience=2", "--min_delta=1"], [5, 4.6, 4.1, 1, 1, 1], 3, 1),
        (["--patience=2"], [5, 4, 4.5, 4, 4, 4], 6, 2),
    ],
)
def test_stops_early_and_keeps_the_best_model(
    flags: list[str], losses: list[float], epochs: int, best: int, tmp_path: Path
) -> None:
    """`epochs`: how many are trained; `best`: the one whose model is kept."""
    trainer = Trainer(losses)
    loop = train(tmp_path / "run", trainer, *flags, epochs=6)
    assert len(trainer.trained) == len(history(tmp_path / "run")) == epochs
    assert loop.finished
    shorter = Trainer(losses)
    train(tmp_path / "shorter", shorter, "--nosave_bestmodel", epochs=best)
    assert in_model(tmp_path / "run") == in_model(tmp_path / "shorter") == shorter.state.value


def test_a_run_that_stopped_early_goes_on_without_the_flag(tmp_path: Path) -> None:
    losses = [5.0, 6.0, 6.0, 6.0]
    train(tmp_path / "run", Trainer(losses), "--early_stopping", "--patience=1")
    assert len(history(tmp_path / "run")) == 2
    more = Trainer(losses)
    train(tmp_path / "run", more)
    whole = Trainer(losses)
    train(tmp_path / "whole", whole)
    assert more.state.value == whole.state.value
    assert len(more.trained) == 2


@pytest.mark.parametrize("fails_at", [1, 4, 5, 8, 9, 15])
def test_killed_at_a_step_it_ends_with_the_same_bits(fails_at: int, tmp_path: Path) -> None:
    """Checkpoints every third step and after every second epoch of four steps."""
    losses = [5.0, 3.0, 4.0, 3.5]
    whole = Trainer(losses)
    train(tmp_path / "whole", whole)
    run = tmp_path / "run"
    with pytest.raises(MemoryError):
        train(run, Trainer(losses, fails_at), "--checkpoint_every=3")
    resumed = Trainer(losses)
    resumed.start_epoch()  # which the loop does at the begin of an epoch alone
    train(run, resumed, "--checkpoint_every=3")
    assert resumed.state.value == whole.state.value
    assert in_model(run) == in_model(tmp_path / "whole") != whole.state.value  # the second is best
    rows = [{**row, "samples_per_s": "", "seconds": ""} for row in history(run)]
    assert rows == [
        {**row, "samples_per_s": "", "seconds": ""} for row in history(tmp_path / "whole")
    ]


def test_a_file_named_stop_ends_it_after_a_checkpoint(tmp_path: Path) -> None:
    class Slow(Trainer):
        def train_step(self, batch: dict[str, np.ndarray]) -> None:
            super().train_step(batch)
            if self.steps.value == 2:
                (run / "STOP").touch()
            time.sleep(0.1)

    run, flags = tmp_path / "run", ("--checkpoint_every=0", "--checkpoints_frequency=0")
    stopped, resumed, whole = Slow(), Trainer(), Trainer()
    with pytest.raises(Interrupted):
        train(run, stopped, *flags, epochs=9)
    assert 2 < stopped.steps.value < 36
    assert not (run / "model.keras").exists()
    resumed.start_epoch()
    train(run, resumed, *flags, epochs=9)
    train(tmp_path / "whole", whole, epochs=9)
    assert sum(map(len, resumed.trained)) < 90
    assert resumed.state.value == whole.state.value


def test_the_last_model_is_kept_where_the_best_is_not_asked_for(tmp_path: Path) -> None:
    trainer = Trainer([1.0, 2.0, 3.0, 4.0])
    train(tmp_path, trainer, "--nosave_bestmodel")
    assert in_model(tmp_path) == trainer.state.value
    assert not (tmp_path / "checkpoints" / "best.keras").exists()


def test_nothing_is_saved_where_no_model_is_asked_for(tmp_path: Path) -> None:
    train(tmp_path, Trainer(), "--nosave")
    assert not (tmp_path / "model.keras").exists()


def test_epochs_trained_before_count(tmp_path: Path) -> None:
    trainer = Trainer()
    train(tmp_path, trainer, "--trained_epochs=3")
    assert len(trainer.trained) == 1
    assert history(tmp_path)[0]["epoch"] == "4"


def test_passes_are_bounded_in_debug_runs(tmp_path: Path) -> None:
    trainer = Trainer()
    train(tmp_path, trainer, "--debug", "--batch_size=1")
    assert [len(epoch) for epoch in trainer.trained] == [6, 6]
    assert [len(epoch) for epoch in trainer.validated] == [5, 5]


def test_a_loss_that_is_no_number_ends_the_run(tmp_path: Path) -> None:
    trainer = Trainer()
    trainer.loss = math.nan
    with pytest.raises(RunError, match=r"training loss is nan in epoch 1; .*--learning_rate"):
        train(tmp_path, trainer)


class Clock:
    """Seconds that pass only where a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        clock = SimpleNamespace(monotonic=lambda: self.now, strftime=time.strftime)
        for module in (loop, budget, pace):
            monkeypatch.setattr(module, "time", clock)


class Timed(Trainer):
    """Steps take `step_s` seconds, from `later` steps on `later_s`; validations take 0.2 s."""

    def __init__(self, clock: Clock, step_s: float, later: int = 10**9, later_s: float = 0) -> None:
        super().__init__([1.0] * 10_000)
        self.trained = [[]]  # where it begins within an epoch
        self.clock, self.step_s, self.later, self.later_s = clock, step_s, later, later_s

    def train_step(self, batch: dict[str, np.ndarray]) -> None:
        first = self.steps.value == 0
        super().train_step(batch)
        slow = self.steps.value > self.later
        self.clock.now += 3.0 if first else self.later_s if slow else self.step_s

    def validate(self, batches: Iterator[dict[str, np.ndarray]]) -> float:
        self.clock.now += 0.2
        return super().validate(batches)

    def progress(self) -> float:
        """Of the schedule, at the steps that have been taken, by the last plan."""
        step, progress, steps = self.plans[-1] if self.plans else (0, 0.0, 1000)
        return progress + (1 - progress) * min((self.steps.value - step) / steps, 1)


@pytest.mark.parametrize(
    ("step_s", "later", "later_s"),
    [
        (0.1, 10**9, 0.0),
        (0.5, 10**9, 0.0),  # an epoch of all samples takes 10 s of 60
        (20.0, 10**9, 0.0),
        (0.1, 250, 0.3),  # another job has come
        (0.3, 60, 0.05),  # it has gone
    ],
)
def test_a_time_budget_is_kept(
    step_s: float, later: int, later_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    trainer = Timed(clock, step_s, later, later_s)
    monkeypatch.setitem(SIZES, "train", 60)
    trained = train(tmp_path, trainer, "--time_budget=60s")
    slack = max(6.0, step_s)
    assert clock.now - 1000 == pytest.approx(60, abs=slack)
    assert trainer.progress() > 0.9
    assert already_trained(RunFolder(tmp_path), trained.training)


def test_time_is_kept_for_steps_that_are_compiled_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first step takes 3 s; so does one after four fifths, and later ones twice as long."""
    monkeypatch.setitem(SIZES, "train", 60)
    monkeypatch.setattr(Samples, "turns", (0.8,))
    clock = Clock(monkeypatch)
    trainer = Timed(clock, 0.1)
    step, turned = trainer.train_step, []

    def later(batch: dict[str, np.ndarray]) -> None:
        step(batch)
        if trainer.progress() >= 0.85:
            clock.now += 0.1 if turned else 3.0
            turned.append(trainer.steps.value)

    monkeypatch.setattr(trainer, "train_step", later)
    train(tmp_path, trainer, "--time_budget=30s")
    assert turned
    assert clock.now - 1000 == pytest.approx(30, abs=1.5)


def test_epochs_of_many_samples_are_cut_to_a_part_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIZES, "train", 3000)
    clock = Clock(monkeypatch)
    trainer = Timed(clock, 0.1)  # a pass takes 100 s
    train(tmp_path, trainer, "--time_budget=60s")
    assert clock.now - 1000 == pytest.approx(60, abs=3)
    assert 10 <= len(history(tmp_path)) <= 30
    seen = [row for epoch in trainer.trained for row in epoch]
    assert len(set(seen)) > 0.4 * len(seen)  # each epoch draws its own


def test_a_time_budget_holds_for_all_attempts_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIZES, "train", 60)
    clock = Clock(monkeypatch)
    first = Timed(clock, 0.1)
    first.fails_at = 200
    with pytest.raises(MemoryError):
        train(tmp_path, first, "--time_budget=60s", "--checkpoint_every=10")
    half = clock.now
    second = Timed(clock, 0.1)
    train(tmp_path, second, "--time_budget=60s", "--checkpoint_every=10")
    assert half - 1000 == pytest.approx(25, abs=8)
    assert clock.now - 1000 == pytest.approx(60, abs=6)
    assert second.progress() > 0.9


def test_a_larger_budget_goes_on_where_a_smaller_one_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SIZES, "train", 60)
    clock = Clock(monkeypatch)
    train(tmp_path, Timed(clock, 0.1), "--time_budget=30s")
    at = clock.now
    more = Timed(clock, 0.1)
    train(tmp_path, more, "--time_budget=60s")
    assert clock.now - at == pytest.approx(30, abs=4)
    assert more.plans[0][1] == pytest.approx(0.5, abs=0.05)  # of the larger budget's schedule


def test_the_time_to_go_follows_the_later_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four epochs of 10 s, then four of 20 s: of ten, two are left, of 20 s each."""
    clock = Clock(monkeypatch)
    own = Pace(NEVER)
    assert own.eta(0.0, 10) is None
    for epoch in range(1, 9):
        clock.now += 10 if epoch <= 4 else 20
        found = own.eta(epoch, 10)
    assert found == pytest.approx(40)


def test_a_time_too_short_for_the_samples_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A pass over 3,000 samples in steps of three takes 100 s, of which there are 20."""
    monkeypatch.setitem(SIZES, "train", 3000)
    train(tmp_path, Timed(Clock(monkeypatch), 0.1), "--time_budget=20s")
    assert "too short to learn from all samples: --time_budget=9min" in caplog.text
