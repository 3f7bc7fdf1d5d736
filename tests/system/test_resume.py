"""A killed run, started again, ends where an uninterrupted one does."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.system.conftest import TIME_LIMIT_S, command, environment

FLAGS = [
    *("--epochs=6", "--checkpoint_every=3", "--dropout_rate=0.2"),
    *("--normalization=bn", "--ema_decay=0.9", "--input_noise=0.05"),
]
CGAN = ["--trainer=CGANTrainer", "--n_disc_filters=4", "--n_disc_blocks=1"]
DIFFUSION = [
    *("--trainer=DiffusionTrainer", "--first_guess=linear", "--regression_folds=2"),
    *("--n_channels=4", "--channel_multipliers=1,2", "--attention_levels=F,F", "--unet_blocks=1"),
]
STEPS = 66  # of the whole run: 42 samples, 4 a step


def weights(path: Path) -> list[np.ndarray]:
    import app.models  # noqa: F401  registers the layers

    return keras.models.load_model(path, compile=False).get_weights()


def checkpoints(run_folder: Path) -> list[str]:
    return sorted(path.name for path in (run_folder / "checkpoints").glob("step-*"))


def kill_during_training(argv: list[str], folder: Path, ranks: int) -> None:
    """Start, wait for a checkpoint and a random while longer, then SIGKILL everything."""
    process = subprocess.Popen(
        command(argv, ranks),
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    begun = time.monotonic()
    while not checkpoints(folder / "killed") and process.poll() is None:
        assert time.monotonic() - begun < TIME_LIMIT_S
        time.sleep(0.02)
    time.sleep(random.Random(ranks).uniform(0, 0.3))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    subprocess.run(["pkill", "-9", "-f", "--", f"--save_path={folder / 'killed'}"], check=False)


@pytest.mark.slow
@pytest.mark.parallel
@pytest.mark.parametrize(
    ("method", "ranks"),
    [([], 2), *(pytest.param(own, 1, marks=pytest.mark.long) for own in (CGAN, DIFFUSION))],
)
def test_killed_run_ends_like_an_uninterrupted_one(
    run, data_flags: list[str], tmp_path: Path, method: list[str], ranks: int
) -> None:
    flags = [*data_flags, *FLAGS, *method, f"--batch_size={4 // ranks}"]
    run("train", *flags, f"--save_path={tmp_path / 'whole'}", ranks=ranks)
    argv = ["train", *flags, f"--save_path={tmp_path / 'killed'}"]
    kill_during_training(argv, tmp_path, ranks)
    assert not (tmp_path / "killed" / "model.keras").exists()
    assert f"step-{STEPS:08d}" not in checkpoints(tmp_path / "killed")
    resumed = run(*argv, ranks=ranks)
    assert "resuming at epoch" in resumed.stdout + resumed.stderr
    for ours, theirs in zip(
        weights(tmp_path / "killed" / "model.keras"),
        weights(tmp_path / "whole" / "model.keras"),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)
    killed, whole = (
        np.genfromtxt(tmp_path / name / "history.csv", delimiter=",", names=True)
        for name in ("killed", "whole")
    )
    for column in ("epoch", "loss", "val_loss", "learning_rate"):
        np.testing.assert_array_equal(killed[column], whole[column])
