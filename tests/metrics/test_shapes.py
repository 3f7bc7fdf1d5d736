"""Regions from shape files and GeoJSON: which cells polygons have, and what is refused."""

import json
import zipfile

import numpy as np
import pytest
from matplotlib.path import Path as Outline

from app.errors import InputError
from app.grids import Grid
from app.metrics.regions import Regions

GRID = Grid(lat=np.arange(0.5, 6), lon=np.arange(0.5, 8))
RING = [[0, 0], [0, 4], [4, 4], [4, 0], [0, 0]]  # clockwise, as outer rings of shape files are
HOLE = [[1, 1], [3, 1], [3, 3], [1, 3], [1, 1]]
ISLAND = [[6, 4], [6, 6], [8, 6], [8, 4], [6, 4]]


def box(rows, columns):
    found = np.zeros(GRID.shape, dtype=bool)
    found[rows, columns] = True
    return found


RINGED = box(slice(0, 4), slice(0, 4)) & ~box(slice(1, 3), slice(1, 3))
BOTH = RINGED | box(slice(4, 6), slice(6, 8))


def feature(geometry, **attributes):
    return {"type": "Feature", "properties": attributes, "geometry": geometry}


def geojson(folder, *features):
    path = folder / "areas.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def square(west, south, side=1.0):
    east, north = west + side, south + side
    ring = [[west, south], [west, north], [east, north], [east, south], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def shape_file(folder):
    shapefile = pytest.importorskip("shapefile")
    with shapefile.Writer(str(folder / "areas"), shapeType=shapefile.POLYGON) as file:
        file.field("basin", "C", 40)
        file.field("code", "N", 8, 0)
        file.poly([RING, HOLE, ISLAND])
        file.record("Upper Rhône", 7)
        file.poly([[[4, 0], [4, 2], [6, 2], [6, 0], [4, 0]]])
        file.record("Po", 9)
        file.poly([[[20, 20], [20, 21], [21, 21], [21, 20], [20, 20]]])
        file.record("elsewhere", 11)
    return folder / "areas.shp"


def test_a_shape_file_has_holes_parts_and_names(tmp_path):
    path = shape_file(tmp_path)
    found = Regions.read(f"{path}:basin", GRID).masks
    assert list(found) == ["Upper_Rhône", "Po"]  # the third lies elsewhere
    np.testing.assert_array_equal(found["Upper_Rhône"], BOTH)
    np.testing.assert_array_equal(found["Po"], box(slice(0, 2), slice(4, 6)))
    assert list(Regions.read(f"{path}:code", GRID).masks) == ["7", "9"]
    with zipfile.ZipFile(tmp_path / "areas.zip", "w") as archive:
        for part in tmp_path.glob("areas.*"):
            if part.suffix != ".zip":
                archive.write(part, part.name)
    packed = Regions.read(f"{tmp_path}/areas.zip:basin", GRID).masks
    np.testing.assert_array_equal(packed["Upper_Rhône"], BOTH)


def test_geojson_has_holes_and_parts_and_features_of_one_name_are_one_region(tmp_path):
    pytest.importorskip("shapely")
    several = {"type": "MultiPolygon", "coordinates": [[RING, HOLE], [ISLAND]]}
    parts = (
        feature({"type": "Polygon", "coordinates": [RING, HOLE]}, name="two features"),
        feature({"type": "Polygon", "coordinates": [ISLAND]}, name="two features"),
        feature(several, name="one"),
        feature(square(0, 0), name=None),
    )
    found = Regions.read(f"{geojson(tmp_path, *parts)}:name", GRID).masks
    assert list(found) == ["two_features", "one"]
    for mask in found.values():
        np.testing.assert_array_equal(mask, BOTH)


@pytest.mark.parametrize("turn", [-360, 0, 360])
def test_longitudes_are_compared_modulo_the_circle(tmp_path, turn):
    """A polygon from 3° W to 3° E, on grids from 0° to 360° and from 180° W to 180° E."""
    pytest.importorskip("shapely")
    path = geojson(tmp_path, feature(square(-3 + turn, 0, 6), name="Greenwich"))
    lat = np.array([2.0, 50.0])
    for lon in (np.arange(0.0, 360.0, 2.0), np.arange(-180.0, 180.0, 2.0)):
        mask = Regions.read(f"{path}:name", Grid(lat=lat, lon=lon)).masks["Greenwich"]
        east = (lon + 180) % 360 - 180
        np.testing.assert_array_equal(mask, [np.abs(east) <= 3, np.zeros(len(lon), bool)])


def test_cells_are_those_of_an_independent_test_of_points(tmp_path):
    pytest.importorskip("shapely")
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    radius = 2 + np.random.default_rng(3).uniform(0, 1, 60)
    ring = np.column_stack([4 + radius * np.cos(angle), 3 + radius * np.sin(angle)])
    closed = [*ring.tolist(), ring[0].tolist()]
    path = geojson(tmp_path, feature({"type": "Polygon", "coordinates": [closed]}, name="star"))
    lat, lon = np.meshgrid(np.linspace(0, 6, 31), np.linspace(0.05, 8, 37), indexing="ij")
    turned = Grid(lat=lat + 0.01 * lon, lon=lon, dims=("y", "x"))  # curvilinear
    mask = Regions.read(f"{path}:name", turned).masks["star"]
    points = np.column_stack([lon.ravel(), (lat + 0.01 * lon).ravel()])
    np.testing.assert_array_equal(mask.ravel(), Outline(ring).contains_points(points))
    assert 100 < mask.sum() < 1000


def test_what_does_not_fit_is_refused_in_a_line(tmp_path):
    pytest.importorskip("shapely")
    pytest.importorskip("shapefile")
    away = geojson(tmp_path, feature(square(100, 50), name="away"))
    with pytest.raises(InputError, match=r"no polygon holds the centre of a cell.*lat 0.5 to 5.5"):
        Regions.read(f"{away}:name", GRID)
    with pytest.raises(InputError, match=r"--regions=.*no attribute 'basin', found name"):
        Regions.read(f"{away}:basin", GRID)
    metres = geojson(tmp_path, feature(square(4e5, 5e6, 1e5), name="projected"))
    with pytest.raises(InputError, match=r"projected reaches from .* in degrees"):
        Regions.read(f"{metres}:name", GRID)
    point = {"type": "Point", "coordinates": [1, 1]}
    with pytest.raises(InputError, match=r"expected polygons .* found Point"):
        Regions.read(f"{geojson(tmp_path, feature(point, name='spot'))}:name", GRID)
    empty = geojson(tmp_path, feature(square(0, 0), name=None))
    with pytest.raises(InputError, match=r"expected polygons .* found none that has one"):
        Regions.read(f"{empty}:name", GRID)
    odd = geojson(tmp_path, feature({"type": "Polygon", "coordinates": [[["a"]]]}, name="odd"))
    with pytest.raises(InputError, match=r"a polygon of odd cannot be read"):
        Regions.read(f"{odd}:name", GRID)
    for name in ("broken.geojson", "broken.shp", "nowhere.shp", "broken.zip"):
        path = tmp_path / name
        if not name.startswith("nowhere"):
            path.write_text("[1, 2")
        with pytest.raises(InputError, match=rf"--regions=.*{name} cannot be read") as found:
            Regions.read(f"{path}:name", GRID)
        assert "\n" not in str(found.value)


def test_more_regions_than_rows_are_read_for_are_refused(tmp_path):
    pytest.importorskip("shapely")
    many = [feature(square(1, 1), name=f"a{number}") for number in range(201)]
    with pytest.raises(InputError, match=r"201 regions, expected at most 200"):
        Regions.read(f"{geojson(tmp_path, *many)}:name", GRID)
