"""Flags of training methods, from the command line to the models and samples that they change."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from app.data.streaming.batches import batches
from app.data.streaming.sampler import Sampler
from app.main import main
from app.methods.diffusion.model import build_diffusion
from app.methods.spatial.model import first_guess
from app.models import DiffusionModel, LinearGuess
from app.models.stack import build_stages
from app.options import build, parse
from app.ranks import Ranks
from app.session import Session
from tests.system.conftest import fields

SMALL = ["--n_channels=4", "--channel_multipliers=1", "--attention_levels=F", "--unet_blocks=1"]


@pytest.fixture
def flags(tmp_path: Path) -> list[str]:
    """Temperature over a slope, a sea in the west, on 8 × 12 cells."""
    data = fields(n=40, y=8, x=12)
    sea = np.broadcast_to(np.arange(12) >= 8, (8, 12)).astype("float32")
    data["ground"] = (("lat", "lon"), sea)
    data.to_netcdf(tmp_path / "waves.nc")
    path = tmp_path / "waves.nc"
    return [
        *("train", f"--data={path}", "--variable=t2m", f"--static={path}:ground", "--scale=2"),
        *(f"--cache_dir={tmp_path / 'cache'}", f"--save_path={tmp_path / 'run'}", "--threads=1"),
    ]


def session(flags: list[str], *more: str) -> Session:
    return Session(build(*parse([*flags, *more])), Ranks())


def denoiser(flags: list[str], *more: str) -> DiffusionModel:
    one = session(flags, "--trainer=DiffusionTrainer", *SMALL, *more)
    return build_diffusion(one.experiment, one.shards, Ranks())[0]


def test_noise_of_a_diffusion_model(flags: list[str]) -> None:
    model = denoiser(
        flags,
        *("--formulation=v", "--noise_schedule=linear", "--noise_log_mean=-0.4"),
        "--noise_embedding=fourier",
    )
    process = model.settings.process
    assert (process.schedule, process.log_mean) == ("linear", -0.4)
    positional = denoiser(flags, "--formulation=v", "--noise_schedule=cosine")
    assert positional.settings.process.schedule == "cosine"
    fixed = [len(m.network.non_trainable_weights) for m in (model, positional)]
    assert fixed[0] == fixed[1] + 1  # the random frequencies


def test_regressions_of_folds_share_what_is_chosen(
    flags: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="absl"):
        model = denoiser(
            flags, "--first_guess=regression", "--regression_folds=3", "--regression_draws"
        )
    assert caplog.text.count("first guess: ") == 1
    assert model.first_guess.n_fits == 3


@pytest.mark.parametrize("residuals", [True, False])
def test_residuals_of_a_first_guess_or_fields_beside_it(flags: list[str], residuals: bool) -> None:
    """Targets are what is left of the guess, or else do not know of it."""
    learn = "--learn_residuals" if residuals else "--nolearn_residuals"
    guess = ["--first_guess=bilinear", learn]
    model = denoiser(flags, *guess)
    shards = session(flags).shards
    rng = np.random.default_rng(0)
    coarse = rng.normal(285, 5, (1, *shards.geometry.coarse_shape, 1)).astype("float32")
    truth = np.asarray(model.first_guess({"coarse": coarse}))
    flat = np.full_like(coarse, 285.0)
    data = [
        {"coarse": field, "hr": truth, "time": np.zeros((1, 8), "float32")}
        for field in (coarse, flat)
    ]
    own, other = (np.asarray(model.targets(one, model.conditioning(one))) for one in data)
    assert (np.ptp(own) < 1e-3) == residuals
    assert np.allclose(own, other, atol=1e-3) != residuals


def test_hours_as_classes_of_a_diffusion_model(flags: list[str]) -> None:
    """The season has channels of its own with either."""
    features = "--time_features=hour,season"
    cyclical, classes = (
        denoiser(flags, features, f"--time_encoding={encoding}")
        for encoding in ("cyclical", "classes")
    )
    assert cyclical.spec.time_features == ("hour", "season")
    assert (classes.spec.time_features, classes.settings.classes) == (("season",), ("hour",))


@pytest.mark.parametrize("radius", [1, 2])
def test_cells_that_a_linear_first_guess_sees(radius: int, flags: list[str]) -> None:
    one = session(flags, "--first_guess=linear", f"--first_guess_radius={radius}")
    guess = first_guess(one.experiment, one.shards, Ranks())
    assert isinstance(guess, LinearGuess)
    field = np.full((1, *one.shards.geometry.coarse_shape, 1), 285.0, "float32")
    pushed = field.copy()
    pushed[0, 2, 3] += 5
    before, after = (
        np.asarray(guess({"coarse": coarse, "time": np.zeros((1, 8))}))
        for coarse in (field, pushed)
    )
    changed = before != after
    assert changed.any(axis=(0, 2, 3)).nonzero()[0].tolist() == list(
        range(max(0, 2 * (2 - radius)), min(8, 2 * (2 + radius) + 2))
    )


@pytest.mark.parametrize("method", ["nearest", "bilinear"])
def test_interpolation_before_a_stage_of_a_stack(method: str, flags: list[str]) -> None:
    field = np.random.default_rng(0).normal(size=(1, 3, 4, 1)).astype("float32")
    experiment = build(*parse([*flags, "--trainer=DeepSDTrainer", f"--sr_interpolation={method}"]))
    (stage,) = build_stages(
        experiment.stack, experiment.model, n_inputs=1, n_static=0, n_outputs=1, twins=(0,)
    )
    found = np.asarray(stage.get_layer("interpolation")(field))[0, 3, 3, 0]
    weights = {"nearest": [[1, 0], [0, 0]], "bilinear": [[9, 3], [3, 1]]}[method]
    expected = (field[0, 1:, 1:3, 0] * weights).sum() / np.sum(weights)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_rate_of_a_stack_that_is_trained_as_a_whole(flags: list[str], tmp_path: Path) -> None:
    given = ["--trainer=DeepSDTrainer", "--srcnn_filters=2,2", "--srcnn_kernels=1,1,1"]
    given += ["--epochs=1", "--finetune_joint=1", "--debug", "--notensorboard"]
    rates = []
    for number, more in enumerate(([], ["--finetune_rate=0.003"])):
        run = f"--save_path={tmp_path / str(number)}"
        assert main([*flags, *given, "--learning_rate=0.01", *more, run]) == 0
        lines = (tmp_path / str(number) / "history.csv").read_text().splitlines()
        column = lines[0].split(",").index("learning_rate")
        rates.append(float(lines[-1].split(",")[column]))
    assert rates == pytest.approx([0.001, 0.003])


def test_patches_hold_as_much_of_the_named_ground_as_asked(flags: list[str]) -> None:
    """The static `ground` is 1 in the last four of twelve columns."""
    more = ["--patch_size=4", "--min_land_fraction=1", "--land_static=ground"]
    one = session(flags, *more)
    sampler = Sampler(one.shards.size("train"), batch_size=8)
    with batches(one.shards, "train", sampler, one.experiment.sampling.patches) as stream:
        columns = [batch["origin"][:, 1] for batch in stream]
    assert set(np.concatenate(columns)) == {4}


def test_prepared_data_are_read_from_the_node_s_own_disk(flags: list[str], tmp_path: Path) -> None:
    here = session(flags).shards
    there = session(flags, f"--stage_to={tmp_path / 'node'}").shards
    assert there.folder.is_relative_to(tmp_path / "node")
    assert here.folder.is_relative_to(tmp_path / "cache")
    rows = range(here.size("train"))
    np.testing.assert_array_equal(there.read("hr", "train", rows), here.read("hr", "train", rows))


@pytest.mark.parametrize(("verify", "code"), [("never", 0), ("always", 2)])
def test_checksums_are_compared_as_asked(
    verify: str, code: int, flags: list[str], tmp_path: Path
) -> None:
    folder = session(flags).shards.folder
    (path,) = folder.glob("train/hr-*.nc")
    with xr.open_dataset(path) as shard:
        assert shard.sizes["time"] > 0
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(bytes(content))
    assert main(["check", *flags[1:], f"--verify={verify}"]) == code
