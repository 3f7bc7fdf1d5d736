"""A model of one region, trained on for another."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from app.main import main
from tests.system.conftest import QUICK, fields, scores

FLAGS = [
    *("--scale=4", "--noverbose", "--notensorboard", "--normalization=bn", "--input_noise=0.05"),
    *("--loss=huber", "--localcon_layer", *QUICK),
]


@pytest.fixture
def regions(tmp_path: Path) -> dict[str, list[str]]:
    """Flags of two regions of different size and place."""
    first, second = fields(n=48), fields(n=40, y=13, x=18, seed=1)
    second = second.assign_coords(lon=second.lon + 20)
    found = {}
    for name, data in {"first": first, "second": second}.items():
        path = tmp_path / f"{name}.nc"
        data.to_netcdf(path)
        source = [f"--data={path}", "--variable=t2m", f"--static={path}:orography"]
        found[name] = [*source, f"--cache_dir={tmp_path / 'cache'}", *FLAGS]
    return found


def backbone(path: Path) -> dict[str, np.ndarray]:
    from app.models import PhysicalModel
    from app.training.transfer import weights

    network = PhysicalModel.load(path).network
    return {
        name: np.array(weight.value.value)
        for name, weight in weights(network).items()
        if weight.layer in ("stem", "block_1", "trunk")
    }


def columns(folder: Path) -> np.ndarray:
    return np.atleast_1d(np.genfromtxt(folder / "history.csv", delimiter=",", names=True))


def test_fine_tuning_on_another_region(
    regions: dict[str, list[str]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source, tuned = tmp_path / "source", tmp_path / "tuned"
    assert main(["train", *regions["first"], "--epochs=3", f"--save_path={source}"]) == 0
    start = [f"--init_from={source}", "--freeze=backbone", "--trained_epochs=3"]
    argv = [*regions["second"], *start, f"--save_path={tuned}"]
    assert main(["train", "test", "metrics", *argv, "--epochs=5"]) == 0

    assert list(columns(tuned)["epoch"]) == [4, 5]
    theirs = backbone(source / "model.keras")
    assert len(theirs) > 8
    for name, value in backbone(tuned / "model.keras").items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)
    assert 0 < scores(tuned)["rmse"] < 30
    with xr.open_dataset(tuned / "y_hat.nc") as predicted:
        np.testing.assert_allclose(predicted.lon[[0, -1]], [15, 25.5])

    # What was begun goes on from its checkpoint, even when the source is gone.
    source.rename(tmp_path / "moved")
    assert main(["train", *argv, "--epochs=6"]) == 0
    assert list(columns(tuned)["epoch"]) == [4, 5, 6]
    for name, value in backbone(tuned / "model.keras").items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)

    # A fresh run without its source is refused and leaves no folder behind.
    fresh = [*regions["second"], *start, f"--save_path={tmp_path / 'fresh'}"]
    assert main(["train", *fresh, "--epochs=5"]) == 2
    assert "no trained model at" in capfd.readouterr().err
    assert not (tmp_path / "fresh").exists()


def test_all_weights_are_the_sources_when_training_begins(
    regions: dict[str, list[str]], tmp_path: Path
) -> None:
    """At a learning rate next to nothing the tuned model is the source on its own region."""
    source, same = tmp_path / "source", tmp_path / "same"
    flags = [*regions["first"], "--normalization=None"]  # moving statistics would go on
    assert main(["train", "test", *flags, "--epochs=2", f"--save_path={source}"]) == 0
    argv = [*flags, f"--init_from={source}", "--learning_rate=1e-12", "--epochs=1"]
    assert main(["train", "test", *argv, f"--save_path={same}"]) == 0
    with (
        xr.open_dataset(source / "y_hat.nc") as expected,
        xr.open_dataset(same / "y_hat.nc") as received,
    ):
        np.testing.assert_allclose(received.t2m, expected.t2m, atol=1e-3)
        assert float(expected.t2m.std()) > 1.0
