"""Members that take long to draw: asked to stop within a batch, they go on where they were."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.system.test_survival import started, status

TRAINED = ["--trainer=DiffusionTrainer", "--first_guess=bilinear", "--epochs=1"]
NETWORK = [
    "--n_channels=8",
    "--channel_multipliers=1,1",
    "--attention_levels=F,F",
    "--unet_blocks=1",
]
DRAWN = ["--members=2", "--sampler=ddim", "--batch_size=2"]


@pytest.mark.long
def test_drawing_is_ended_within_a_batch_and_goes_on(
    run, data_flags: list[str], tmp_path: Path
) -> None:
    left_out = ("--n_filters", "--n_blocks")  # of another kind of network
    flags = [flag for flag in data_flags if not flag.startswith(left_out)]
    flags += [*TRAINED, *NETWORK, *DRAWN]
    run("train", *flags, "--save_path=out")
    served = ["test", *flags, f"--model={tmp_path / 'out'}", "--sampling_steps=200"]
    run(*served, "--save_path=whole")
    process = started([*served, "--save_path=broken"], tmp_path)
    folder = tmp_path / "broken"
    assert process.stdout is not None
    said = iter(process.stdout.readline, "")
    assert any("predicted 2 of 9 times" in line for line in said)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 3, output
    assert status(folder)["state"] == "interrupted"
    written = json.loads((folder / ".y_hat.nc.unfinished.json").read_text())["written"]
    assert 2 <= written < 9
    done = run(*served, "--save_path=broken")
    assert f"going on after {written} of 9 times" in done.stderr
    assert not list(folder.glob(".y_hat*"))
    with (
        xr.open_dataset(tmp_path / "whole" / "y_hat.nc") as one,
        xr.open_dataset(folder / "y_hat.nc") as other,
    ):
        assert one.t2m.dims == ("member", "time", "lat", "lon")
        np.testing.assert_array_equal(one.t2m, other.t2m)
