"""A stack of stages: what a stage learns from, and that the parts make the whole."""

from pathlib import Path

import keras
import numpy as np
import pytest
import xarray as xr

from app.grids import Geometry, Grid
from app.main import main
from app.methods.deepsd.trainer import layer_rates
from app.models import PhysicalModel
from app.models.block_means import BlockMeans
from app.models.stack import build_stages
from app.options import ModelConfig, StackConfig
from app.training.base import build_optimizer
from tests.system.conftest import fields


@pytest.fixture
def flags(tmp_path: Path) -> list[str]:
    path = tmp_path / "waves.nc"
    fields(n=40, y=18, x=22).to_netcdf(path)
    return [
        "--trainer=DeepSDTrainer",
        f"--data={path}",
        "--variable=t2m",
        f"--static={path}:orography",
        "--scale=4",
        "--srcnn_filters=6,4",
        "--srcnn_kernels=3,1,3",
        "--batch_size=4",
        "--loss=mse",
        "--threads=1",
        "--notensorboard",
        f"--cache_dir={tmp_path / 'cache'}",
    ]


def weights(path: Path) -> list[np.ndarray]:
    return PhysicalModel.load(path).network.get_weights()


@pytest.mark.parametrize("gap", [0.0, 0.4])
def test_means_over_blocks_are_those_of_the_shards(gap: float) -> None:
    grid = Grid(lat=40.0 + np.arange(10), lon=np.arange(12.0))
    geometry = Geometry.build(grid, 4)
    rng = np.random.default_rng(0)
    hr = rng.normal(size=(3, 10, 12)).astype("float32")
    hr[rng.random(hr.shape) < gap] = np.nan
    padded = geometry.pad_field(hr)[..., None]
    means = BlockMeans(geometry.weights(), 0.5)
    for factor in (2, 4):
        found = np.asarray(means({"hr": padded}, factor, 4))[..., 0]
        expected = Geometry.build(grid, factor).coarsen(hr, 0.5)
        inner = found[:, : expected.shape[1], : expected.shape[2]]
        np.testing.assert_allclose(inner, expected, rtol=1e-5, atol=1e-5)


def test_means_over_patches_have_the_areas_of_their_place() -> None:
    grid = Grid(lat=50.0 + 4 * np.arange(8), lon=np.arange(8.0))
    geometry = Geometry.build(grid, 2)
    hr = np.random.default_rng(0).normal(size=(1, 8, 8, 1)).astype("float32")
    means = BlockMeans(geometry.weights(), 0.5)
    whole = np.asarray(means({"hr": hr}, 2, 2))
    patch = {"hr": hr[:, 4:, 2:6], "origin": np.array([[2, 1]], "int32")}
    np.testing.assert_allclose(means(patch, 2, 2), whole[:, 2:, 1:3], rtol=1e-6)


def test_layers_step_by_their_multiple_of_the_learning_rate() -> None:
    from app.options import TrainingConfig
    from app.training.schedule import Schedule

    stack = StackConfig(sr_factors=(2,), srcnn_filters=(3, 2), srcnn_kernels=(3, 1, 3))
    (stage,) = build_stages(stack, ModelConfig(), n_inputs=1, n_static=0, n_outputs=1, twins=(0,))
    config = TrainingConfig(learning_rate=(1e-2,))
    optimizer = build_optimizer(config, Schedule(10), factors=layer_rates(stage, (1.0, 0.5, 0.1)))
    before = [v.numpy() for v in stage.trainable_variables]
    gradients = [keras.ops.ones_like(v) for v in stage.trainable_variables]
    optimizer.apply(gradients, stage.trainable_variables)
    steps = [
        np.abs(b - v.numpy()).mean() for b, v in zip(before, stage.trainable_variables, strict=True)
    ]
    np.testing.assert_allclose(steps, np.repeat([1e-2, 5e-3, 1e-3], 2), rtol=1e-3)


def test_separate_jobs_and_one_that_is_extended_twice_are_the_same(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["train", *flags]
    apart, whole = (f"--save_path={tmp_path / name}" for name in ("apart", "whole"))
    join = [*train, "--epochs=3", "--finetune_joint=2", apart, "--sr_stage=join"]
    assert main(join) == 2
    assert "2 of 2 are missing" in capsys.readouterr().err
    for stage in ("2", "1"):
        assert main([*train, "--epochs=3", apart, f"--sr_stage={stage}"]) == 0
    assert not (tmp_path / "apart" / "experiment.cfg").exists()
    assert main([*join, "--batch_size=8"]) == 2
    assert "made with other flags (batch_size: 4 → 8)" in capsys.readouterr().err
    assert main(join) == 0
    assert main([*train, "--epochs=2", whole]) == 0
    assert main([*train, "--epochs=3", "--finetune_joint=1", whole]) == 0
    last = [*train, "--epochs=3", "--finetune_joint=2", whole]
    assert main(last) == 0
    models = [tmp_path / name / "model.keras" for name in ("apart", "whole")]
    for a, b in zip(*map(weights, models), strict=True):
        np.testing.assert_array_equal(a, b)
    before = models[1].stat().st_mtime_ns
    assert main(last) == 0  # nothing left to do
    assert models[1].stat().st_mtime_ns == before


@pytest.mark.slow
def test_the_joined_model_is_tested_scored_and_tiled(flags: list[str], tmp_path: Path) -> None:
    out = f"--save_path={tmp_path / 'run'}"
    stack = ["--sr_factors=4", "--srcnn_residual", "--patch_size=12", "--patch_stride=4"]
    assert main(["train", "test", "metrics", *flags, *stack, out, "--epochs=1"]) == 0
    with xr.open_dataset(tmp_path / "run" / "y_hat.nc") as found:
        whole = found["t2m"].values
    assert np.isfinite(whole).all()
    assert whole.shape[1:] == (18, 22)
    tiled = ["--tile_size=20", "--tile_overlap=8", f"--save_path={tmp_path / 'tiled'}"]
    argv = ["test", *flags, *stack, *tiled, f"--model={tmp_path / 'run'}"]
    assert main(argv) == 0
    with xr.open_dataset(tmp_path / "tiled" / "y_hat.nc") as found:
        np.testing.assert_allclose(found["t2m"].values, whole, atol=0.05)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--sr_factors=2,3"], "product is the scale, here it is 6"),
        (["--sr_stage=3"], "expected one of 1, 2, join"),
        (["--srcnn_kernels=9,5"], "3 in all"),
        (["--first_guess=linear"], "trained on their own"),
        (["--dense_alpha=1", "--loss=dssim"], "mse, mae, huber"),
        (["--dense_alpha=1", "--dense_on=wet"], "no wet threshold"),
        (["--patch_size=12", "--min_land_fraction=0.5"], "no static 'lsm'"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(
    flags: list[str], tmp_path: Path, given: list[str], said: str, capsys
) -> None:
    assert main(["train", *flags, *given, f"--save_path={tmp_path / 'run'}"]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("finescale: ")
    assert said in last
