"""Several ranks under the real launcher compute what one would."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.system.conftest import TIME_LIMIT_S, command, environment
from tests.system.launching import HOROVODRUN, MPIRUN

pytestmark = pytest.mark.parallel
SCRIPT = Path(__file__).with_name("parallel_steps.py")


def steps(
    out: Path,
    ranks: int,
    argv: list[str],
    count: int = 10,
    launcher: Sequence[str] | None = None,
) -> list[dict[str, np.ndarray]]:
    """What each rank has after some training steps."""
    out.mkdir()
    own = (sys.executable, str(SCRIPT))
    program = command([], ranks, own) if launcher is None else [*launcher, *own]
    done = subprocess.run(
        [*program, str(out), str(count), *argv],
        cwd=out,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
    )
    assert done.returncode == 0, f"{sys.executable}\n{done.stdout}\n{done.stderr}"
    return [dict(np.load(out / f"rank-{rank}.npz")) for rank in range(ranks)]


CGAN = ["--trainer=CGANTrainer", "--n_disc_filters=4", "--n_disc_blocks=1"]
DIFFUSION = [
    *("--trainer=DiffusionTrainer", "--first_guess=linear", "--regression_folds=2"),
    "--regression_draws",
    *("--n_channels=4", "--channel_multipliers=1,2", "--attention_levels=F,F", "--unet_blocks=1"),
]
METHODS = {
    "supervised": ["--learning_rate=1e-2"],
    "cgan": [*CGAN, "--disc_dropout_rate=0", "--learning_rate=1e-3"],
    "diffusion": [*DIFFUSION, "--learning_rate=1e-3"],
    "crps": ["--trainer=CRPSTrainer", "--learning_rate=1e-3", "--dropout_rate=0"],
}


@pytest.mark.parametrize("method", METHODS)
def test_two_ranks_equal_one_with_the_doubled_batch(
    method: str, data_flags: list[str], tmp_path: Path
) -> None:
    common = [*data_flags, "--nolr_scaling", *METHODS[method]]
    first, second = steps(tmp_path / "two", 2, [*common, "--batch_size=3"])
    (one,) = steps(tmp_path / "one", 1, [*common, "--batch_size=6"])
    names = [name for name in one if name.startswith("w")]
    assert names
    for name in names:
        np.testing.assert_array_equal(first[name], second[name])
        np.testing.assert_allclose(first[name], one[name], atol=1e-5)
    np.testing.assert_allclose(first["losses"], one["losses"], rtol=1e-5)
    assert (one["losses"][0] != one["losses"][-1]).all()
    together = np.concatenate([first["seen"], second["seen"]])
    assert sorted(together) == list(range(42))  # 70 % of 60 samples, each exactly once


@pytest.mark.horovod
def test_mpi_gives_what_horovod_gives(data_flags: list[str], tmp_path: Path) -> None:
    """Weights, losses and seeds of both ranks after ten steps, dropout and all."""
    flags = [*data_flags, "--dropout_rate=0.3", "--learning_rate=1e-2", "--batch_size=3"]
    one = steps(tmp_path / "mpi", 2, [*flags, "--communicator=mpi"], launcher=MPIRUN)
    other = steps(tmp_path / "horovod", 2, flags, launcher=HOROVODRUN)
    for mine, theirs in zip(one, other, strict=True):
        assert mine.keys() == theirs.keys()
        for name, values in mine.items():
            np.testing.assert_allclose(values, theirs[name], atol=1e-6, rtol=0)
    weights = [name for name in one[0] if name.startswith("w")]
    for name in weights:
        np.testing.assert_array_equal(one[0][name], one[1][name])


@pytest.mark.parametrize(
    "method", [["--trainer=SupervisedTrainer"], CGAN], ids=["supervised", "cgan"]
)
def test_weights_stay_identical_with_dropout_and_normalisation(
    method: list[str], data_flags: list[str], tmp_path: Path
) -> None:
    flags = [*data_flags, "--dropout_rate=0.3", "--ema_decay=0.9", "--loss=dssim_mae", *method]
    flags.append("--input_noise=0.1")
    first, second = steps(tmp_path / "two", 2, flags, count=6)
    trained = [name for name in first if name.startswith("w")]
    for name in trained:
        np.testing.assert_array_equal(first[name], second[name])
    seeds = [name for name in first if name.startswith("seed")]
    assert seeds
    assert any((first[name] != second[name]).any() for name in seeds)


def test_stages_under_the_launcher(run, data_flags: list[str], tmp_path: Path) -> None:
    """Each stage runs on two ranks, and their prediction is that of one rank."""
    flags = [*data_flags, "--epochs=2", "--normalization=bn"]
    run("train", "test", "metrics", *flags, "--save_path=two", ranks=2)
    run("test", *flags, "--save_path=one", "--model=two")
    import xarray as xr

    with (
        xr.open_dataset(tmp_path / "two" / "y_hat.nc") as two,
        xr.open_dataset(tmp_path / "one" / "y_hat.nc") as one,
    ):
        np.testing.assert_allclose(two.t2m, one.t2m, atol=1e-4)
        np.testing.assert_array_equal(two.time, one.time)
    assert (tmp_path / "two" / "metrics" / "summary.csv").is_file()
    assert not list((tmp_path / "two").glob(".*part*"))


@pytest.mark.long
def test_ranks_draw_the_same_ensemble(run, data_flags: list[str], tmp_path: Path) -> None:
    """Member for member, whatever the ranks and the batches."""
    flags = [*data_flags, *DIFFUSION, "--epochs=2", "--members=3", "--sampling_steps=4"]
    noisy = ["--sampler=ddpm", "--noise_lag1_correlation=0.8"]
    run("train", "test", *flags, *noisy, "--save_path=two", ranks=2)
    again = ["--model=two", "--batch_size=7", "--save_path=one"]
    run("test", *flags, *noisy, *again)
    import xarray as xr

    with (
        xr.open_dataset(tmp_path / "two" / "y_hat.nc") as two,
        xr.open_dataset(tmp_path / "one" / "y_hat.nc") as one,
    ):
        assert two.t2m.sizes["member"] == 3
        np.testing.assert_allclose(two.t2m, one.t2m, atol=1e-4)
        assert float(two.t2m.std("member").min()) > 0
