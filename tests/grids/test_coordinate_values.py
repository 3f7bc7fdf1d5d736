"""Coordinates as files have them: radians, two dimensions where one would do, text, swaps."""

import json

import numpy as np
import pytest
import xarray as xr

from app.data.description import Variable
from app.data.shards.field_file import FieldWriter
from app.data.times import Stamps
from app.errors import InputError
from app.grids import Geometry, Grid, detect_grid, same_grid

LAT, LON = np.arange(40.0, 46, 0.5), np.arange(350.0, 358, 0.5)
LATITUDE, LONGITUDE = {"standard_name": "latitude"}, {"standard_name": "longitude"}


def with_coordinates(lat, lon, attrs=(LATITUDE, LONGITUDE), names=("lat", "lon")):
    """A field on dimensions y and x, or those that 1-D coordinates name themselves."""
    dims = (("y", "x"), ("y", "x")) if np.ndim(lat) == 2 else ((names[0],), (names[1],))
    coords = {
        name: (dim, values, a)
        for name, dim, values, a in zip(names, dims, (lat, lon), attrs, strict=True)
    }
    shape = np.shape(lat) if np.ndim(lat) == 2 else (len(lat), len(lon))
    field_dims = dims[0] if np.ndim(lat) == 2 else (*dims[0], *dims[1])
    values = np.arange(float(np.prod(shape))).reshape(shape)
    return xr.Dataset({"v": (field_dims, values)}, coords)


def units(lat="degrees_north", lon="degrees_east"):
    return {**LATITUDE, "units": lat}, {**LONGITUDE, "units": lon}


@pytest.mark.parametrize("unit", ["radian", "radians", "Rad"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("curvilinear", [False, True])
def test_radians_become_degrees_in_values_and_attributes(unit, dtype, curvilinear):
    lat, lon = np.meshgrid(LAT, LON, indexing="ij") if curvilinear else (LAT, LON)
    lat = lat + 0.05 * np.arange(len(LON)) if curvilinear else lat  # no mesh of 1-D ones
    turned = (np.radians(values).astype(dtype) for values in (lat, lon))
    grid, _ = detect_grid(with_coordinates(*turned, units(unit, unit), ("clat", "clon")))
    assert grid.rectilinear != curvilinear
    assert same_grid(grid, Grid(lat, lon))
    np.testing.assert_allclose(grid.lat, lat, atol=1e-5)
    coords = grid.coords()
    np.testing.assert_allclose(coords["clon"][1] % 360, lon, atol=5e-5)
    assert coords["clat"][2]["units"] == "degrees_north"
    assert coords["clon"][2]["units"] == "degrees_east"


def test_long_names_serve_where_nothing_else_does():
    attrs = {"long_name": "Latitude"}, {"long_name": "longitude"}
    assert detect_grid(with_coordinates(LAT, LON, attrs, ("p", "q")))[0].names == ("p", "q")


def test_west_and_south_are_negative():
    grid, _ = detect_grid(
        with_coordinates(LAT[::-1], 350 - LON, units("degrees_south", "degrees_west"))
    )
    np.testing.assert_allclose(grid.lat, -LAT[::-1])
    np.testing.assert_allclose(grid.lon, LON - 350)
    assert grid.coords()["lon"][2]["units"] == "degrees_east"


@pytest.mark.parametrize(
    ("lat", "lon"),
    [
        (LAT[::-1].astype("float32"), LON.astype("float32")),
        (np.arange(40, 46), np.arange(350, 358, dtype="int16")),
        (LAT, LON + np.random.default_rng(0).uniform(-1e-5, 1e-5, LON.size)),
    ],
)
@pytest.mark.parametrize("attrs", [({}, {}), ({"units": "degrees"},) * 2, ({"units": "1"},) * 2])
def test_plain_numbers_by_name(lat, lon, attrs):
    grid, canonicalise = detect_grid(data := with_coordinates(lat, lon, attrs))
    np.testing.assert_array_equal(grid.lat, np.sort(lat))
    np.testing.assert_array_equal(grid.restore(canonicalise(data["v"]).values), data["v"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("lat", "lon"),
    [
        (LAT, LON),
        (LAT[::-1], LON[::-1]),
        (LAT[::-1], np.array([358.0, 359, 0, 1])),
        (LAT, np.arange(0.0, 360, 10)),
    ],
)
def test_the_mesh_of_a_regular_grid_is_that_grid(lat, lon, dtype, turned):
    plain = with_coordinates(lat.astype(dtype), lon.astype(dtype))
    mesh = np.meshgrid(lat.astype(dtype), lon.astype(dtype), indexing="ij")
    data = with_coordinates(*mesh)
    grid, canonicalise = detect_grid(data.transpose("x", "y") if turned else data)
    expected, in_order = detect_grid(plain)
    assert grid.rectilinear
    assert same_grid(grid, expected)
    np.testing.assert_array_equal(canonicalise(data["v"]), in_order(plain["v"]))
    coarse = Geometry.build(grid, 2).coarse
    np.testing.assert_allclose(coarse.lon, Geometry.build(expected, 2).coarse.lon)
    again = xr.Dataset(coords=Grid.from_dict(json.loads(json.dumps(grid.to_dict()))).coords())
    for name in ("lat", "lon"):
        np.testing.assert_array_equal(again[name].transpose("y", "x"), data[name])


@pytest.mark.parametrize("unit", ["degrees", "radian"])
def test_results_lie_on_the_mesh_of_the_file_in_degrees(tmp_path, unit):
    mesh = np.meshgrid(LAT[::-1], LON, indexing="ij")
    turned = [np.radians(values) if unit == "radian" else values for values in mesh]
    data = with_coordinates(*turned, units(unit, unit))
    grid, canonicalise = detect_grid(data)
    tas = Variable("tas", "tas", units="K")
    stamps = Stamps.of(np.array(["2001-01-01"], "datetime64[ns]"))
    writer = FieldWriter.new(tmp_path / "y.nc", grid, stamps, (tas,), as_in_file=True)
    writer.write(0, [canonicalise(data["v"]).values[None]])
    writer.close()
    with xr.open_dataset(tmp_path / "y.nc") as written:
        np.testing.assert_array_equal(written["tas"][0], data["v"])
        for name, values in zip(("lat", "lon"), mesh, strict=True):
            assert written[name].dims == ("y", "x")
            assert name in written["tas"].coords
            np.testing.assert_allclose(written[name] % 360, values)
            assert written[name].attrs["units"].startswith("degrees")
        assert same_grid(detect_grid(written)[0], grid)


def test_a_mesh_with_other_names_of_dimensions_in_the_other_order():
    lat, lon = np.meshgrid(LAT, LON)  # (lon, lat)
    data = xr.Dataset(
        {"v": (("a", "b"), np.arange(float(lat.size)).reshape(lat.shape))},
        {"lat": (("a", "b"), lat, LATITUDE), "lon": (("a", "b"), lon, LONGITUDE)},
    )
    grid, canonicalise = detect_grid(data)
    assert (grid.dims, grid.rectilinear) == (("b", "a"), True)
    np.testing.assert_array_equal(canonicalise(data["v"]), data["v"].values.T)


def test_a_sheared_grid_stays_two_dimensional():
    lat, lon = np.meshgrid(LAT, LON, indexing="ij")
    assert not detect_grid(with_coordinates(lat + 0.01 * lon, lon))[0].rectilinear
    assert not detect_grid(with_coordinates(lat, lon + 0.002 * lat))[0].rectilinear


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (
            with_coordinates(LAT.astype(str), LON),
            r"lat, the latitude, is stored as text \('40.0'\)",
        ),
        (with_coordinates(LAT, LON.astype(str).astype(object)), "lon, the longitude, .* as text"),
        (
            with_coordinates(np.arange(-180.0, 180, 10), np.arange(-90.0, 91, 10)),
            "lat, the latitude, runs from -180 to 170, .* are the two swapped?",
        ),
        (
            with_coordinates(LON, LAT, (LONGITUDE, LATITUDE)),
            "by its attributes lon is the latitude and lat the longitude",
        ),
        (with_coordinates(LAT, LON, ({}, LATITUDE)), "lon is the latitude and lon the longitude"),
        (
            with_coordinates(np.linspace(-1.56, 1.56, 90), np.arange(180) * np.pi / 90, ({}, {})),
            "looks like a globe in radians",
        ),
        (
            with_coordinates(
                LAT,
                LON,
                tuple({"standard_name": f"projection_{a}_coordinate", "units": "m"} for a in "yx"),
                ("y", "x"),
            ),
            "y and x are the axes of a projection, and there is no latitude",
        ),
        (
            with_coordinates(LAT, LON, units("arcmin", "arcmin")),
            "lat, the latitude, has units 'arcmin'; expected degrees or radians",
        ),
        (
            with_coordinates(
                LAT,
                np.radians(np.arange(0, 361, 30.0)).astype("float32"),
                units("degrees_north", "radian"),
            ),
            "the last column is the first one again",
        ),
    ],
    ids=[
        "text",
        "objects",
        "swapped",
        "crossed",
        "twice",
        "radians",
        "projected",
        "units",
        "cyclic",
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(data, problem):
    with pytest.raises(InputError, match=rf"f\.nc: .*{problem}") as refused:
        detect_grid(data, "f.nc")
    assert "\n" not in str(refused.value)


def test_of_several_grids_in_a_file_that_of_the_variable_is_taken():
    """Staggered 2-D coordinates as plain variables; the names alone would choose the first."""
    lat, lon = (a + 0.01 * np.arange(16) for a in np.meshgrid(LAT, LON, indexing="ij"))
    data = xr.Dataset(
        {
            "XLAT": (("Time", "y", "x"), lat[None]),
            "XLONG": (("Time", "y", "x"), lon[None]),
            "XLAT_U": (
                ("Time", "y", "xs"),
                lat[None, :, :-1],
                LATITUDE | {"units": "degree_north"},
            ),
            "XLONG_U": (("Time", "y", "xs"), lon[None, :, :-1] + 0.25, LONGITUDE),
            "u": (("Time", "y", "xs"), lon[None, :, :-1]),
            "t": (("Time", "y", "x"), lon[None]),
        }
    )
    for name, expected in (("t", lon), ("u", lon[:, :-1] + 0.25)):
        grid, _ = detect_grid(data, dims=data[name].dims)
        assert grid.dims == data[name].dims[1:]
        np.testing.assert_array_equal(grid.lon, expected)


def test_unstructured_grids_are_refused_with_what_to_do():
    points = {"clat": ("cell", np.radians(LAT)), "clon": ("cell", np.radians(LON[: len(LAT)]))}
    data = xr.Dataset({"v": ("cell", LAT)}, points)
    with pytest.raises(InputError, match=r"list 12 points along cell.*unstructured.*cdo remapnn"):
        detect_grid(data, "icon.nc")
