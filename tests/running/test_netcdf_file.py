"""Small NetCDF files as the CF conventions ask for, read back as what they were."""

from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr

from app.running.netcdf_file import conventional, write_dataset


def dataset() -> xr.Dataset:
    times = np.array(["2020-02-28T21", "2040-02-29T00"], "datetime64[ns]")
    return xr.Dataset(
        {
            "rmse": (("candidate", "time"), np.array([[1.0, np.nan], [2, 3]]), {"units": "K"}),
            "days": (("candidate",), np.array([3, 4])),
            "seconds": (("time",), np.array([5, 2**40])),
        },
        {"candidate": ["linear", "bikubisch ü"], "time": times, "level": ("candidate", [0.1, 0.2])},
    )


def test_what_is_written_is_cf_and_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    given = dataset()
    write_dataset(conventional(given, "a title"), path)
    with netCDF4.Dataset(path) as file:
        assert (file.Conventions, file.title) == ("CF-1.8", "a title")
        types = {name: variable.dtype for name, variable in file.variables.items()}
        assert (types["days"], types["seconds"], types["time"]) == (
            np.int32,
            np.float64,
            np.float64,
        )
        assert types["candidate"] == "S1"
        for name in ("time", "level", "candidate"):
            assert "_FillValue" not in file[name].ncattrs()
        assert file["time"].standard_name == "time"
        assert file["days"].long_name == "days"
    with xr.open_dataset(path) as found:
        assert found.candidate.values.tolist() == ["linear", "bikubisch ü"]
        assert found.rmse.sel(candidate="linear").values[0] == 1
        np.testing.assert_array_equal(found.time, given.time)
        np.testing.assert_array_equal(found.rmse, given.rmse)
        np.testing.assert_array_equal(found.seconds, given.seconds)
    assert given.attrs == {}
    assert given.candidate.encoding == {}
