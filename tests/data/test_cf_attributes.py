"""Attributes of fields in CF files: what of the source's is copied, and what does not apply."""

from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

from app.data.cf_attributes import attributes_of
from app.data.description import DataDescription, Source, Variable
from app.data.shards import Shards
from app.data.shards.field_file import FieldWriter
from app.data.shards.identity import changes, identity_of
from app.data.shards.prepare import folder_name, prepare
from app.data.times import Stamps
from app.grids import Grid

RAIN = Variable("pr", "pr", units="mm day-1")
NAMES = ("lat", "lon")


@pytest.mark.parametrize(
    ("given", "method", "expected"),
    [
        (None, "point", None),
        ("time: mean", "point", "time: mean"),
        ("area: mean time: maximum", "point", "area: mean time: maximum"),
        ("time: mean (interval: 1 hour) height: point", "point", "time: mean (interval: 1 hour)"),
        ("lat: lon: mean valid_time: sum", "point", "lat: lon: mean"),
        ("area: mean where land time: sum", "sum", "area: mean where land time: sum"),
        ("time: sum", "point", None),
        ("time: mean", "sum", "time: sum"),
        (None, "sum", "time: sum"),
        ("time: sum within days time: mean over days", "point", None),
    ],
)
def test_cell_methods_are_those_that_apply(
    given: str | None, method: str, expected: str | None
) -> None:
    variable = replace(RAIN, cell_methods=given, time_method=method)
    assert attributes_of(variable, NAMES).get("cell_methods") == expected


@pytest.mark.parametrize(
    ("name", "units", "expected"),
    [
        ("precipitation_flux", "kg m-2 s-1", "precipitation_flux"),
        ("precipitation_flux", "mm day-1", "lwe_precipitation_rate"),
        ("precipitation_amount", "m", "lwe_thickness_of_precipitation_amount"),
        ("lwe_thickness_of_precipitation_amount", "kg m-2", "precipitation_amount"),
        ("air_temperature", "degC", "air_temperature"),
        (None, "K", None),
    ],
)
def test_the_standard_name_goes_with_the_unit(
    name: str | None, units: str, expected: str | None
) -> None:
    variable = replace(RAIN, standard_name=name, units=units)
    assert attributes_of(variable).get("standard_name") == expected


def test_units_are_spelled_as_udunits_has_them_and_a_name_is_never_missing() -> None:
    told = attributes_of(replace(RAIN, units="(0 - 1)"))
    assert told == {"units": "1", "long_name": "pr"}
    assert attributes_of(replace(RAIN, units="m s**-1", long_name="wind"))["units"] == "m s-1"
    assert attributes_of(replace(RAIN, long_name="wind"))["long_name"] == "wind"


def small_file(path: Path, **attributes: str) -> xr.Dataset:
    """Three days of a field of 6 × 6 cells."""
    values = np.random.default_rng(0).normal(280, 1, (72, 6, 6)).astype("float32")
    coords = {
        "time": np.datetime64("2037-12-31") + np.arange(72) * np.timedelta64(1, "h"),
        "lat": ("lat", np.arange(50.0, 56), {"units": "degrees_north"}),
        "lon": ("lon", np.arange(0.0, 6), {"units": "degrees_east"}),
    }
    told = {"units": "K", **attributes}
    data = xr.Dataset({"t": (("time", "lat", "lon"), values, told)}, coords)
    data.to_netcdf(path)
    return data


def described(path: Path) -> DataDescription:
    return DataDescription(Source((str(path),), (Variable("t", "t"),)))


def test_prepared_fields_are_cf_and_the_same_under_other_words(tmp_path: Path) -> None:
    """A long name is no part of what data are; times beyond 2038 are exact."""
    folders = []
    for name in ("one", "two"):
        path = tmp_path / name / "a.nc"
        path.parent.mkdir()
        words = {"standard_name": "air_temperature", "long_name": f"temperature {name}"}
        data = small_file(path, **words, cell_methods=f"time: mean (comment: {name})")
        folders.append(prepare(described(path), scale=2, cache_dir=tmp_path / "cache"))
    one, two = map(Shards.open, folders)
    assert not changes(identity_of(one), identity_of(two))
    assert one.variables["hr"][0].long_name == "temperature one"
    assert two.variables["hr"][0].cell_methods == "time: mean (comment: two)"
    seconds = np.concatenate([one.stamps(split).seconds for split in one.splits])
    assert seconds.dtype == np.int64
    np.testing.assert_array_equal(seconds.astype("datetime64[s]"), data.time.values)
    (file,) = (folders[0] / "train").glob("hr-*.nc")
    with netCDF4.Dataset(file) as dataset:
        assert dataset.Conventions == "CF-1.8"
        assert dataset["time"].dtype == np.float64
        assert not [
            name for name in ("lat", "lon", "time") if "_FillValue" in dataset[name].ncattrs()
        ]
        assert dataset["t"].standard_name == "air_temperature"
        assert dataset["t"].long_name == "t"


def test_data_prepared_when_times_were_whole_numbers_are_read_and_judged_by_the_rest(
    tmp_path: Path,
) -> None:
    small_file(tmp_path / "a.nc")
    now = identity_of(
        Shards.open(prepare(described(tmp_path / "a.nc"), scale=2, cache_dir=tmp_path / "cache"))
    )
    before = {key: value for key, value in now.items() if key != "layout"}
    before |= {"values": {"train hr": "other"}, "static fields": "other"}
    assert changes(before, now) == []
    assert changes({**before, "scaling": "other"}, now) == ["scaling"]
    assert changes({**before, "layout": 2}, now)[0] == "static fields"


def test_the_name_of_prepared_data_is_what_it_was(tmp_path: Path) -> None:
    """Variables have got fields that are no part of it."""
    small_file(tmp_path / "a.nc")
    plain = described(tmp_path / "a.nc")
    worded = Source(plain.predictand.files, (replace(Variable("t", "t"), long_name="x"),))  # type: ignore[union-attr]
    assert folder_name(plain, 2, 0) == folder_name(replace(plain, predictand=worded), 2, 0)


def test_members_are_realizations(tmp_path: Path) -> None:
    grid = Grid(np.arange(3.0), np.arange(4.0))
    stamps = Stamps(np.array([0, 3600]))
    with FieldWriter.new(
        tmp_path / "a.nc", grid, stamps, [RAIN], attributes={"title": "x"}, members=2
    ) as writer:
        writer.write(0, [np.zeros((2, 2, 3, 4), np.float32)])
    with netCDF4.Dataset(tmp_path / "a.nc") as dataset:
        assert dataset["member"].standard_name == "realization"
        assert dataset["pr"].dimensions == ("member", "time", "lat", "lon")
        assert dataset.title == "x"
