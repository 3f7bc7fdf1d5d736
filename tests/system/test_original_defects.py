"""Faults of the original DL4DS application that only a whole run shows.

The best model was the last one; fewer samples than a batch ended training; every rank wrote all
figures. Its other faults are tested where the parts are.
"""

import csv

import numpy as np
import pytest

from app import options
from app.losses import build_loss
from app.main import main
from app.models import PhysicalModel
from app.ranks import Ranks
from app.session import Session
from tests.system.conftest import fields

SAMPLES = 40  # of which 28 train and 6 validate


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Flags of a run whose first epoch was good and whose later ones were far too fast."""
    folder = tmp_path_factory.mktemp("run")
    fields(n=SAMPLES, y=8, x=12).to_netcdf(folder / "waves.nc")
    argv = [
        *(f"--data={folder / 'waves.nc'}", "--variable=t2m", "--scale=4", "--loss=mse"),
        "--recipe=dl4ds",
        *("--n_filters=4", "--n_blocks=1", "--dropout_rate=0", "--threads=1", "--batch_size=64"),
        *(f"--cache_dir={folder / 'cache'}", f"--save_path={folder / 'out'}", "--notensorboard"),
        *("--epochs=4", "--learning_rate=1e-3,0.5", "--lr_decay_after=2", "--noverbose"),
    ]
    assert main(["train", "test", *argv]) == 0
    return argv


def session_of(argv: list[str], ranks: Ranks) -> Session:
    return Session(options.build(*options.parse(["metrics", *argv])), ranks)


def history(session: Session) -> list[dict[str, str]]:
    with session.folder.history.open() as file:
        return list(csv.DictReader(file))


def test_fewer_samples_than_a_batch_are_enough(trained: list[str]) -> None:
    rows = history(session_of(trained, Ranks()))
    assert len(rows) == 4
    assert all(np.isfinite(float(row["loss"])) for row in rows)


def test_best_model_is_the_best_and_not_the_last(trained: list[str]) -> None:
    """Its validation loss, worked out anew from the saved file, is the least of the history."""
    session = session_of(trained, Ranks())
    losses = [float(row["val_loss"]) for row in history(session)]
    assert losses[-1] > 2 * min(losses)
    model, shards = PhysicalModel.load(session.folder.model), session.shards
    rows = np.arange(shards.size("validation"))
    truth = model.encode_targets(shards.read("hr", "validation", rows))
    batch = {
        "coarse": shards.read("lr", "validation", rows),
        "time": shards.time_features("validation", rows),
    }
    loss = build_loss("mse", data_range=np.ones(1))(truth, model.encoded(batch))
    assert float(np.mean(loss)) == pytest.approx(min(losses), rel=1e-4)
