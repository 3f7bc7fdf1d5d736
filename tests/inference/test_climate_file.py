"""The climate of the training inputs is refused where it is damaged."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from app.errors import InputError
from app.inference.correction import CLIMATE, InputClimate
from app.running.netcdf_file import write_dataset


def test_a_damaged_climate_is_refused(tmp_path: Path) -> None:
    path = tmp_path / CLIMATE
    field = (("level", "y", "x"), np.ones((2, 3, 4), np.float32), {"kind": "ratio"})
    write_dataset(xr.Dataset({"pr": field}, {"level": [0.0, 1.0]}), path, sealed=True)
    climate = InputClimate(tmp_path / "model.keras", ["pr"])
    assert climate.ratios == [True]
    assert climate.quantiles.sum() == 24
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged, its checksum differs; train the run anew"):
        InputClimate(tmp_path / "model.keras", ["pr"])
