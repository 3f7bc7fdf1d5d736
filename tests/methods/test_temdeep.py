"""Trained on known frames alone: the motion is found, and the frames between are restored."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from app.synthetic import AdvectionConfig, generate_advection
from tests.system.conftest import run_in

CANDIDATES = ("model", "linear", "nearest", "cubic", "optical_flow")
TRAINING = [
    *("train", "test", "metrics", "--trainer=TemDeepTrainer", "--target_step=1h", "--threads=1"),
    *("--flow_filters=8,12", "--n_filters=8", "--n_blocks=1", "--batch_size=8"),
    *("--learning_rate=2e-3", "--lr_schedule=cosine", "--composite_subset=all"),
    "--coherence_epochs=0",  # its graph takes longer to build than all else; tested elsewhere
]
PATTERNS = AdvectionConfig(shape=(32, 40), steps=481)


def scores(folder: Path) -> dict[str, dict[str, float]]:
    with (folder / "metrics" / "summary.csv").open(encoding="utf-8") as file:
        return {
            row["metric"]: {name: float(row[name] or "nan") for name in CANDIDATES}
            for row in csv.DictReader(file)
        }


@pytest.fixture(scope="module")
def tracer_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run folder of a network that has learnt moving patterns, of which every fourth is known."""
    folder = tmp_path_factory.mktemp("tracer")
    path = generate_advection(PATTERNS, folder / "patterns.nc")
    asked = ["--variable=tracer", "--input_step=4h", "--pretrain_epochs=8"]
    run_in(folder, *TRAINING, f"--data={path}", f"--cache_dir={folder}", *asked, "--save_path=out")
    return folder / "out"


@pytest.mark.long
def test_motion_of_a_translation_is_found_within_a_tenth_of_a_cell(tracer_run: Path) -> None:
    from app.data.times import time_features
    from app.models.temporal import TemporalModel
    from app.synthetic.advection import Pattern

    # A pattern that training has not seen, and that moves by 4.4 cells without turning.
    config = replace(PATTERNS, shape=(32, 32), turn=0.0, swing=0.0, drift=1.1, seed=1)
    pattern, model = Pattern.draw(config), TemporalModel.load(tracer_run / "model.keras")
    frames = np.stack([pattern.at(config, 400.0 + 4 * k) for k in (-1, 0, 1, 2)])[None, ..., None]
    told = {"theta": np.float32([0.5]), "length": np.float32([1.0])}
    told["time"] = time_features(np.array(["2020-01-01"], "datetime64[s]"))
    encoded = model.codec.encode(frames.astype("float32"))
    forward, backward = model.network.flows(model.network_inputs(encoded, told))
    expected = 4.4 * np.array([0.6, 0.8])
    inside = np.s_[0, 10:-10, 10:-10]
    for found, sign in ((forward, 1), (backward, -1)):
        mean = np.asarray(found)[inside].mean(axis=(0, 1))
        np.testing.assert_allclose(mean, sign * expected, atol=0.1)


@pytest.mark.long
def test_withheld_frames_of_moving_patterns_are_restored(tracer_run: Path) -> None:
    found = scores(tracer_run)["restoration_rate"]
    assert found["model"] >= 0.5
    assert found["model"] > max(found["cubic"], found["optical_flow"])


@pytest.mark.long
def test_rain_is_parted_better_than_evenly_and_kept(tmp_path: Path) -> None:
    path = generate_advection(PATTERNS, tmp_path / "patterns.nc")
    asked = ["--variable=rain", "--input_step=6h", "--pretrain_epochs=4"]
    run_in(tmp_path, *TRAINING, f"--data={path}", "--cache_dir=cache", *asked, "--save_path=out")
    mae = scores(tmp_path / "out")["mae"]
    assert mae["model"] < 0.9 * mae["nearest"]  # of sums the nearest are the even parts
    predicted = xr.open_dataset(tmp_path / "out" / "y_hat.nc")["rain"]
    truth = xr.open_dataset(path)["rain"].sel(time=predicted["time"])
    assert "time: sum" in predicted.attrs["cell_methods"]
    parted, totals = (
        field.values.astype(np.float64).reshape(-1, 6, *PATTERNS.shape).sum(axis=1)
        for field in (predicted, truth)
    )
    np.testing.assert_allclose(parted, totals, rtol=1e-6, atol=0)
    assert (totals == 0).any()
