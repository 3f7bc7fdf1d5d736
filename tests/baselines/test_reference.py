"""Scores of the linear baseline on real data, relative to bilinear interpolation."""

import numpy as np
import pytest
from memory_shards import fitted

from app.data.description import DataDescription, Source, Splits, Variable
from app.data.shards import Shards
from app.data.shards.prepare import prepare

PREDICTORS = ("psl", "ta850", "hus850")
ERA5 = "era5_t2m_uk_hourly_201903.nc"
HOURLY = Splits(
    kind="dates",
    train=(("2019-03-01", "2019-03-21"),),
    validation=(("2019-03-23", "2019-03-24"),),
    test=(("2019-03-26", "2019-03-31"),),
)
WINTERS = Splits(
    kind="dates",
    train=(("1982-12-01", "1996-02-29"),),
    validation=(("1996-12-01", "1997-02-28"),),
    test=(("1997-12-01", "2002-12-31"),),
)


def source(folder, name, *variables):
    return Source(files=(str(folder / name),), variables=variables)


def iberia(folder, variable):
    predictors = tuple(Variable(name, name) for name in PREDICTORS)
    return DataDescription(
        predictand=source(folder, "eobs_iberia_djf_1983-2002.nc", variable),
        low_resolution=source(folder, "ncep_sfc_iberia_djf_1983-2002.nc", variable),
        predictors=(source(folder, "ncep_predictors_iberia_djf_1983-2002.nc", *predictors),),
        splits=WINTERS,
    )


def rmse_by_name(description, cache):
    shards = Shards.open(prepare(description, scale=4, cache_dir=cache))
    test = np.arange(shards.size("test"))
    truth = shards.read("hr", "test", test).astype(np.float64)
    weights = shards.geometry.fine.cell_areas()[..., None] * np.isfinite(truth)
    baselines = fitted(shards, ("bilinear", "bicubic", "linear"))
    return {
        baseline.name: np.sqrt(
            np.nansum(weights * (baseline.predict(test, "test") - truth) ** 2) / weights.sum()
        )
        for baseline in baselines
    }


def test_hourly_temperature_over_the_british_isles(real_data, tmp_path):
    predictand = source(real_data, ERA5, Variable("t2m", "t2m", units="K"))
    scores = rmse_by_name(DataDescription(predictand=predictand, splits=HOURLY), tmp_path)
    # 0.52 where the harmonics are standardised on these three weeks, whose trend they then extend
    assert 0.40 < scores["linear"] / scores["bilinear"] < 0.49
    assert scores["bicubic"] < scores["bilinear"]


@pytest.mark.parametrize(
    ("variable", "low", "high"),
    [
        (Variable("tas", "tas", units="degC"), 0.52, 0.58),
        (Variable("pr", "pr", units="mm day-1", valid_min=0.0, kind="ratio"), 0.84, 0.89),
    ],
    ids=["tas", "pr"],
)
def test_winters_over_iberia(real_data, tmp_path, variable, low, high):
    scores = rmse_by_name(iberia(real_data, variable), tmp_path)
    assert low < scores["linear"] / scores["bilinear"] < high
