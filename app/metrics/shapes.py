"""Regions that are polygons: features of shape files and GeoJSON, at the centres of cells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from app.arrays import Array, Json
from app.errors import InputError, one_line
from app.grids import Grid

SHAPE_FILES, GEOJSON = (".shp", ".zip"), (".geojson", ".json")
ENDINGS = (*SHAPE_FILES, *GEOJSON)
POLYGONS = ("Polygon", "MultiPolygon")
EXTRA = "expected the packages pyshp and shapely, as with pip install '.[regions]'"
CIRCLE, POLE = 360.0, 90.0  # degrees
FARTHEST = 1.5 * CIRCLE  # longitude of a polygon that crosses the end of the circle
TURNS = (-2, -1, 0, 1, 2)  # of the circle, between longitudes of cells and of polygons
UNNAMEABLE = re.compile(r"[^\w.+-]+")  # characters that names of rows do not have

Features = list[tuple[Json, Json]]  # attributes and geometry of each


def masks_of(path: Path, attribute: str, grid: Grid, where: str) -> dict[str, Array]:
    """Cells (y, x) whose centres lie in, or on the edge of, the polygons of each value.

    attribute: whose values are the names of regions; features of one value are one region, those
    without a value none. Regions without a centre of a cell are left out. Longitudes are compared
    modulo 360. InputError, in one line beginning with `where`, for what cannot be read.
    """
    try:
        shapely = import_module("shapely")
        found = _features(path)
    except ImportError as error:
        raise InputError(f"{where}: {path} has polygons; {EXTRA}; {one_line(error)}") from error
    except Exception as error:  # pyshp raises whatever the damaged part happens to break
        raise InputError(f"{where}: {path} cannot be read ({one_line(error)})") from error
    lat, lon = grid.mesh()
    masks: dict[str, Array] = {}
    for name, geometries in _named(found, attribute, where).items():
        try:
            parts = [shapely.make_valid(shapely.geometry.shape(own)) for own in geometries]
        except Exception as error:  # shapely likewise
            text = f"a polygon of {name} cannot be read ({one_line(error)})"
            raise InputError(f"{where}: {text}") from error
        area = shapely.union_all(parts)
        _check_degrees(area.bounds, name, where)
        inside = _inside(shapely, area, lat, lon)
        if inside.any():
            masks[name] = inside
    if not masks:
        raise InputError(
            f"{where}: no polygon holds the centre of a cell; expected some within {grid.extent()}"
        )
    return masks


def _features(path: Path) -> Features:
    if path.suffix.lower() in GEOJSON:
        content = json.loads(path.read_text(encoding="utf-8"))
        features = content.get("features", [content])
        return [(one["properties"] or {}, one["geometry"] or {}) for one in features]
    reader = import_module("shapefile").Reader
    with reader(str(path), encodingErrors="replace") as opened:
        return [
            (one.record.as_dict(), one.shape.__geo_interface__) for one in opened.shapeRecords()
        ]


def _named(found: Features, attribute: str, where: str) -> dict[str, list[Json]]:
    """Geometries of the polygons by the name of their region."""
    attributes = dict.fromkeys(key for told, _ in found for key in told)
    if attribute not in attributes:
        raise InputError(
            f"{where}: no attribute {attribute!r}, found {', '.join(attributes) or 'none'}"
        )
    kinds = [str(geometry.get("type")) for _, geometry in found]
    named: dict[str, list[Json]] = {}
    for kind, (told, geometry) in zip(kinds, found, strict=True):
        name = _name(told.get(attribute))
        if kind in POLYGONS and name:
            named.setdefault(name, []).append(geometry)
    if not named:
        other = _listed(kind for kind in kinds if kind not in POLYGONS)
        raise InputError(
            f"{where}: expected polygons that have a value of {attribute}, found "
            f"{other or 'none that has one'}"
        )
    return named


def _listed(kinds: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(kinds))


def _name(value: Any) -> str:
    """A value as the name of a row; "" where there is none."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return UNNAMEABLE.sub("_", str(value)).strip("_")


def _check_degrees(bounds: tuple[float, ...], name: str, where: str) -> None:
    west, south, east, north = bounds
    if max(abs(west), abs(east)) > FARTHEST or max(abs(south), abs(north)) > POLE:
        raise InputError(
            f"{where}: {name} reaches from ({west:.6g}, {south:.6g}) to ({east:.6g}, {north:.6g}); "
            "expected longitudes and latitudes in degrees"
        )


def _inside(shapely: Any, area: Any, lat: Array, lon: Array) -> Array:
    """Where the centres (y, x) are within the area, at any turn of the circle."""
    west, south, east, north = area.bounds
    shapely.prepare(area)
    inside = np.zeros(lat.shape, dtype=bool)
    for turn in TURNS:
        x = lon + turn * CIRCLE
        near = (x >= west) & (x <= east) & (lat >= south) & (lat <= north)
        inside[near] |= shapely.intersects_xy(area, x[near], lat[near])
    return inside
