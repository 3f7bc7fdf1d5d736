"""Members from noise in one pass: what the noise belongs to, what is learnt, what is drawn."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pairs
import pytest
from pairs import MEAN, SCALE, SPREAD, arrays, assert_goes_on_bit_for_bit, spec, trainer_of

from app.inference.tiles import TiledModel
from app.methods.crps.trainer import CrpsTrainer
from app.models import InterpolationGuess, NoisyModel, PhysicalModel, build_network
from app.models.saving import save_model
from app.options import ModelConfig

CELLS, CHANNELS = (4, 3), 2
NETWORK = {"n_filters": 8, "n_blocks": 1, "dropout_rate": 0.0}


def model_of(
    cells: tuple[int, int] = CELLS, zero_output: bool = True, seed: int = 3, **options: Any
) -> NoisyModel:
    keras.utils.set_random_seed(seed)
    network = build_network(
        ModelConfig(**{**NETWORK, **options}),
        n_inputs=1,
        n_static=0,
        n_outputs=1,
        n_noise=CHANNELS,
        scale=SCALE,
        zero_output=zero_output,
    )
    on_fine_grid = options.get("upsampling") == "pin"
    return NoisyModel(
        spec(interpolation="bilinear" if on_fine_grid else None),
        arrays(cells),
        network,
        InterpolationGuess("nearest", SCALE, [0]),
        noise_channels=CHANNELS,
    )


def trainer(seed: int = 3, dropout: float = 0.0, **options: Any) -> CrpsTrainer:
    model = model_of(seed=seed, dropout_rate=dropout)
    return trainer_of(CrpsTrainer, model, **{"learning_rate": (5e-3,), **options})


def batch(n: int = 4) -> dict[str, np.ndarray]:
    return {**pairs.batch(CELLS, n, noise=1.0), "index": np.arange(n)}


def inputs(n: int = 3, cells: tuple[int, int] = CELLS) -> dict[str, np.ndarray]:
    data = pairs.batch(cells, n)
    return {**{name: data[name] for name in ("coarse", "time")}, "seconds": 3600 * np.arange(n)}


def test_noise_belongs_to_seed_step_and_sample() -> None:
    trained, data = trainer(train_members=3), batch()
    whole = trained._with_noise(data, 0, 7)["noise"]
    assert whole.shape == (4, 3, 8, 6, CHANNELS)
    turned = {name: values[[2, 0]] for name, values in data.items()}
    np.testing.assert_array_equal(trained._with_noise(turned, 0, 7)["noise"], whole[[2, 0]])
    for other in (trained._with_noise(data, 0, 8), trained._with_noise(data, 1, 7)):
        assert not (other["noise"] == whole).any()


def test_loss_before_training_is_the_error_of_the_first_guess() -> None:
    """All members are the first guess: their CRPS is the mean absolute error, at each scale."""
    data, trained = batch(), trainer(score_scales=(1, 2))
    off = data["hr"] - data["coarse"].repeat(SCALE, axis=1).repeat(SCALE, axis=2)
    blocks = off.reshape(4, 4, 2, 3, 2, 1).mean(axis=(2, 4))
    expected = (np.abs(off).mean() + np.abs(blocks).mean()) / 2 / SPREAD
    assert trained.validate(iter([data])) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("score", "within"), [("crps", 0.08), ("energy", 0.16)])
def test_the_spread_of_noise_is_learnt(score: str, within: float) -> None:
    """The truth is the coarse field and noise of 1 K: members of a deviation of 1 K, no bias."""
    trained = trainer(member_score=score, score_scales=(1,), lr_schedule="cosine", epochs=40)
    rng = np.random.default_rng(5)
    for step in range(400):
        data = batch(16)
        repeated = data["coarse"].repeat(SCALE, axis=1).repeat(SCALE, axis=2)
        data["hr"] = repeated + rng.normal(0, 1, data["hr"].shape).astype("float32")
        trained.train_step({**data, "index": 16 * step + np.arange(16)})
    drawn = trained.model.predict_fields(inputs(8), members=50)
    assert drawn.std(axis=0).mean() == pytest.approx(1.0, rel=within)
    coarse = inputs(8)["coarse"].repeat(SCALE, axis=1).repeat(SCALE, axis=2)
    assert abs(float((drawn.mean(axis=0) - coarse).mean())) < 0.1


def test_the_validation_period_decides_on_the_spread() -> None:
    """Members that know 1 K of noise are given 2 K, and no more noise in training."""
    trained = trainer(score_scales=(1,), train_members=4)
    for weight in trained.model.network.get_layer("output").weights:
        weight.assign(np.random.default_rng(2).normal(0, 0.1, weight.shape))
    data = batch(16)
    members = trained.model.predict_fields({n: data[n] for n in ("coarse", "time")}, members=20)
    own = members.std(axis=0).mean()
    noise = np.random.default_rng(5).normal(0, 2 * own, data["hr"].shape)
    data["hr"] = (members.mean(axis=0) + noise).astype("float32")
    for _ in range(20):
        trained.calibrate(lambda: iter([data]))
    assert float(trained.model.spread.numpy()) == pytest.approx(2, rel=0.25)
    quiet = trainer(calibrated_spread=False)
    quiet.calibrate(lambda: iter([data]))
    assert float(quiet.model.spread.numpy()) == 1.0


def test_validation_is_the_same_between_epochs() -> None:
    trained, data = trainer(dropout=0.2, learning_rate=(1e-12,)), batch()
    first = trained.validate(iter([data]))
    trained.train_step(data)
    assert trained.validate(iter([data])) == pytest.approx(first, abs=1e-9)


def test_goes_on_bit_for_bit() -> None:
    assert_goes_on_bit_for_bit(trainer(dropout=0.2), trainer(seed=4, dropout=0.2), batch())


@pytest.mark.parametrize("upsampling", ["spc", "pin", "dc", "rc"])
def test_members_belong_to_their_times(upsampling: str) -> None:
    """Neither company nor order matters; seeds, members and times do."""
    model, data = model_of(zero_output=False, upsampling=upsampling), inputs()
    whole = model.predict_fields(data, members=3)
    assert whole.shape == (3, 3, 8, 6, 1)
    turned = model.predict_fields({n: values[[2, 0]] for n, values in data.items()}, members=3)
    np.testing.assert_allclose(turned, whole[:, [2, 0]], atol=1e-4)
    same = {**data, "coarse": np.full_like(data["coarse"], MEAN)}
    drawn = model.predict_fields(same, members=2)
    others = [model.predict_fields(same, seed=1, members=2), drawn[::-1], drawn[:, ::-1]]
    assert all(np.abs(drawn - other).max() > 1e-3 for other in others if other is not drawn)


def test_tiles_draw_the_same_members() -> None:
    model, data = model_of((28, 22), zero_output=False), inputs(2, (28, 22))
    tiled = TiledModel(model, size=40, overlap=16)
    whole = model.predict_fields(data, members=2)
    np.testing.assert_allclose(
        tiled.predict_fields(data, 0, 2), whole, atol=0.05
    )  # of members that are some K apart


def test_a_saved_model_draws_the_same(tmp_path: Path) -> None:
    model, data = model_of(zero_output=False), inputs()
    model.spread.assign(0.7)
    save_model(model, tmp_path / "model.keras")
    loaded = PhysicalModel.load(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.predict_fields(data, members=2), model.predict_fields(data, members=2)
    )
    assert not loaded.tied_to_grid


@pytest.mark.parametrize(
    "flags",
    [["--time_window=4"], ["--scaled_correction", "--first_guess=bicubic"], ["--dense_alpha=1"]],
    ids=lambda flags: flags[0],
)
def test_what_it_cannot_go_with_is_refused(flags: list[str]) -> None:
    pairs.assert_refused_in_one_line("CRPSTrainer", *flags)
