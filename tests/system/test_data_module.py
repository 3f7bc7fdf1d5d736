"""The slide's flagfile, as it stands, against a module of ten lines."""

from pathlib import Path

SLIDE = '''""" EXPERIMENT """
--data_module=data.py
--train
--test
--metrics
""" DOWNSCALING """
--trainer=SupervisedTrainer
--paired_samples=explicit
--scale=8
""" MODEL """
--backbone=resnet
--upsampling=spc
--n_filters=8
--n_blocks=10
--activation=relu
--normalization=bn
--dropout_variant=vanilla
--dropout_rate=0.2
--localcon_layer
'''
MODULE = """import numpy as np
import xarray as xr
from app.data.scalers import StandardScaler
fine = np.random.default_rng(0).normal(280, 5, (40, 24, 32, 1)).cumsum(axis=1) / 10
inference_scaler = StandardScaler()
data_train, data_val, data_test = np.split(inference_scaler.fit_transform(fine), [24, 32])
coarse = [a.reshape(len(a), 3, 8, 4, 8, 1).mean((2, 4)) for a in (data_train, data_val, data_test)]
data_train_lr, data_val_lr, data_test_lr = coarse
inference_data, static_vars, gt_mask = data_test_lr, None, None
time = np.arange(8).astype("datetime64[D]")
gt_holdout_dataset = xr.DataArray(fine[32:, ..., 0], dims=("time", "lat", "lon"), name="t2m",
    coords={"time": time, "lat": np.arange(24.0), "lon": np.arange(32.0)}, attrs={"units": "K"})
"""


def test_slide_flagfile_trains_tests_and_scores(run, tmp_path: Path) -> None:
    (tmp_path / "params.cfg").write_text(SLIDE)
    (tmp_path / "data.py").write_text(MODULE)
    done = run("--flagfile=params.cfg", "--epochs=2")
    assert (tmp_path / "dl4ds_results" / "y_hat.nc").is_file()
    assert "RMSE" in done.stdout
    lines = (tmp_path / "dl4ds_results" / "metrics" / "summary.csv").read_text().splitlines()
    rmse = next(line for line in lines if line.startswith("rmse,"))
    assert 0 < float(rmse.split(",")[1]) < 200
