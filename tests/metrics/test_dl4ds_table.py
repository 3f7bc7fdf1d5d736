"""The table of DL4DS, loop by loop, on fields that its own program got wrong."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from skimage.metrics import peak_signal_noise_ratio
from subjects import fed, subject_of

from app.metrics.protocols.dl4ds import Dl4ds

RNG = np.random.default_rng(2)


def test_means_and_deviations_over_samples_and_grid_points():
    truth = RNG.gamma(1.0, 3.0, (20, 4, 5))
    truth[0, 1:3] = 0.0  # these grid points became NaN
    model = truth + RNG.normal(size=truth.shape)
    area = np.linspace(0.5, 1.5, 20).reshape(4, 5)  # not heeded
    metric = Dl4ds(subject_of(truth, ("model",), area=area, kind="ratio"))
    fed([metric], truth, model[None], parts=[np.arange(7), np.arange(7, 20)])
    rows = {row.metric.removeprefix("dl4ds_"): row.values["model"] for row in metric.rows(None)}
    e = model - truth
    points = [(y, x) for y in range(4) for x in range(5)]
    both = list(zip(truth, model, strict=True))
    width = truth.max() - truth.min()
    expected = {
        "mae": np.abs(e).mean(axis=(1, 2)),
        "rmse": np.sqrt((e**2).mean(axis=(1, 2))),
        "psnr": [peak_signal_noise_ratio(t, m, data_range=width) for t, m in both],
        "rmse_per_point": np.sqrt((e**2).mean(axis=0)),
        "nrmse_per_point": 100 * np.sqrt((e**2).mean(axis=0)) / truth.mean(),
        "bias_per_point": 100 * e.mean(axis=0) / truth.mean(),
        "pearson": [pearsonr(t.ravel(), m.ravel())[0] for t, m in both],
        "spearman": [spearmanr(t.ravel(), m.ravel())[0] for t, m in both],
        "pearson_per_point": [pearsonr(truth[:, y, x], model[:, y, x])[0] for y, x in points],
        "spearman_per_point": [spearmanr(truth[:, y, x], model[:, y, x])[0] for y, x in points],
    }
    for name, values in expected.items():
        assert rows[name] == pytest.approx((np.mean(values), np.std(values)), rel=1e-9), name
    assert set(rows) == {*expected, "ssim"}
