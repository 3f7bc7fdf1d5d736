"""What the script of a page plays and draws at places: fields of some days, packed into text."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
from contourpy import contour_generator
from scipy.spatial import cKDTree

from app.arrays import Array, Json
from app.grids import Grid
from app.grids.sphere import unit_vectors
from app.metrics.drawing.maps import diverging, panel_shape, subject_colours
from app.metrics.ground import Ground, coastlines
from app.report.page.maps import Bar, labelled, palette
from app.report.record import PREDICTION, TRUTH, Record

MOST_VALUES = 2_400_000  # packed of a page, of all predictands: some 4 MiB
FEWEST_TIMES = 25  # played, on however large a grid
MOST_TIMES = 500
LEVELS = 2**14 - 1  # that values are rounded to: far finer than what colours or a line show
MOST_MEMBERS = 4  # that may be looked at
OUTER = (0.05, 0.95)  # quantiles of the members that the band at a place spans
LONGER_SIDE = 360  # pixels of a map
BLOCK = 64  # times that are read at once
LAND = 0.5


def payload(record: Record, channel: int, middle: int, shares: int, unit: str) -> Json:
    """Fields of one predictand around a time, as the script takes them.

    middle: the row that should be among them. shares: between how many predictands the page is
    parted.
    """
    members = min(len(record.layers), MOST_MEMBERS)
    layers = 3 + (2 + members if record.layers else 0)
    rows, cells = chosen(record, middle, layers, MOST_VALUES // shares)
    fields = _fields(record, channel, rows, cells, members)
    values = [fields[name] for name in (TRUTH, PREDICTION) if name in fields]
    scale = subject_colours(record.variables[channel].kind, values)
    bars: Json = {"values": Bar.of(scale, labelled(record.variables[channel].name, unit))}
    told: Json = {
        "values": {"low": scale.low, "high": scale.high, "colours": palette(scale)},
        "error": None,
    }
    if TRUTH in fields:
        errors = diverging([fields[PREDICTION] - fields[TRUTH]])
        told["error"] = {"low": errors.low, "high": errors.high, "colours": palette(errors)}
        bars["error"] = Bar.of(errors, labelled("error", unit))
    grid = _thinned(record.grid, cells)
    lat, lon = (np.round(values, 4) for values in grid.mesh())
    judged = set(record.judged.tolist())
    return {
        "bars": bars,
        "data": {
            "name": record.variables[channel].name,
            "unit": "" if unit == "1" else unit,
            "times": [record.stamps.text(int(row)).replace("T", " ") for row in rows],
            "given": [int(row) not in judged for row in rows],
            "lat": packed(lat.astype("<f4").ravel()),
            "lon": packed(((lon + 180) % 360 - 180).astype("<f4").ravel()),
            "shape": list(grid.shape),
            "layers": list(fields),
            "scales": told,
            "coast": coast(record.ground, record.grid),
            "raster": raster(grid),
            "start": int(np.searchsorted(rows, middle)),
            **quantised(np.stack(list(fields.values()))),
        },
    }


def chosen(record: Record, middle: int, layers: int, most: int) -> tuple[Array, tuple[int, int]]:
    """Rows of the times around one, and every how many rows and columns of the grid are kept."""
    y, x = record.grid.shape
    step = 1
    while layers * FEWEST_TIMES * -(-y // step) * -(-x // step) > most:
        step += 1
    cells = -(-y // step) * -(-x // step)
    count = min(len(record.stamps), MOST_TIMES, max(FEWEST_TIMES, most // (layers * cells)))
    first = int(np.clip(middle - count // 2, 0, len(record.stamps) - count))
    return np.arange(first, first + count), (step, step)


def _fields(
    record: Record, channel: int, rows: Array, cells: tuple[int, int], members: int
) -> dict[str, Array]:
    """Layers (n, y, x) by name: what the record shows, then the members' band, then some of them.

    What is missing throughout is left out, but the prediction.
    """
    found: dict[str, list[Array]] = {}
    cut = (slice(None), slice(None, None, cells[0]), slice(None, None, cells[1]))
    for start in range(0, len(rows), BLOCK):
        part = rows[start : start + BLOCK]
        fields = {name: values[..., channel][cut] for name, values in record.read(part).items()}
        if record.spread is not None:
            layers = record.spread(part)[..., channel]
            low, high = np.quantile(layers, OUTER, axis=0)
            fields |= {"low": low[cut], "high": high[cut]}
            for name, layer in zip(record.layers[:members], layers, strict=False):
                fields[name] = layer[cut]
        for name, values in fields.items():
            found.setdefault(name, []).append(values)
    whole = {name: np.concatenate(parts) for name, parts in found.items()}
    return {n: v for n, v in whole.items() if n == PREDICTION or np.isfinite(v).any()}


def quantised(fields: Array) -> Json:
    """Fields (L, n, y, x) as whole numbers from 1, 0 where missing, and how they are read back.

    Each is written less the one of the time before, low bytes first and then high ones: so they
    are packed best.
    """
    known = np.isfinite(fields)
    low = float(fields[known].min()) if known.any() else 0.0
    high = float(fields[known].max()) if known.any() else 1.0
    step = (high - low) / LEVELS or 1.0
    numbers = np.zeros(fields.shape, np.uint16)
    numbers[known] = np.rint((fields[known] - low) / step).astype(np.uint16) + 1
    changes = np.diff(numbers, axis=1, prepend=np.zeros_like(numbers[:, :1]))
    parts = changes.astype("<u2").view(np.uint8).reshape(-1, 2)
    return {"low": low, "step": step, "packed": packed(np.ascontiguousarray(parts.T))}


def packed(values: Array) -> str:
    """The bytes of an array, compressed and as text."""
    return base64.b64encode(zlib.compress(values.tobytes(), 9)).decode()


def _thinned(grid: Grid, cells: tuple[int, int]) -> Grid:
    y, x = grid.shape
    return grid.take(np.arange(0, y, cells[0]), np.arange(0, x, cells[1]))


def raster(grid: Grid) -> Json:
    """The number of the cell, from 1, that lies at each pixel of a map; 0 beyond the domain.

    Maps of all grids have latitude upwards and longitude to the right, as far as `_limits` go.
    """
    west, east, south, north = _limits(grid)
    shape = panel_shape(grid)
    rows = round(LONGER_SIDE * min(1.0, shape))
    columns = round(LONGER_SIDE * min(1.0, 1 / shape))
    lat = north - (np.arange(rows) + 0.5) / rows * (north - south)
    lon = west + (np.arange(columns) + 0.5) / columns * (east - west)
    points = unit_vectors(*np.meshgrid(lat, lon, indexing="ij"))
    own = unit_vectors(*grid.mesh()).reshape(-1, 3)
    distance, cell = cKDTree(own).query(points.reshape(-1, 3))
    beyond = distance > np.radians(1.5 * grid.spacing) if not grid.rectilinear else distance < 0
    numbers = np.where(beyond, 0, cell + 1).astype("<u4")
    return {"rows": rows, "columns": columns, "cells": packed(numbers)}


def _limits(grid: Grid) -> tuple[float, float, float, float]:
    """West, east, south and north end of a map of a grid, as `drawing.maps.frame` has them."""
    if grid.rectilinear:
        lat, lon = grid.edges
    else:
        lat, lon = grid.lat, grid.lon
    return float(lon.min()), float(lon.max()), float(lat.min()), float(lat.max())


def coast(ground: Ground, grid: Grid) -> list[list[float]]:
    """Coastlines as x, y, x, y, … in shares of a map's width and height from its upper left."""
    west, east, south, north = _limits(grid)
    lines: Any = ()
    if ground.land is not None and 0 <= ground.land.min() < LAND < ground.land.max():
        lat, lon = grid.mesh()
        lines = contour_generator(lon, lat, ground.land).lines(LAND)
    elif ground.land is None:
        lines = [line for line in coastlines() if _crosses(line, west, east, south, north)]
    found = []
    for line in lines:
        x = (np.asarray(line)[:, 0] - west) / (east - west)
        y = (north - np.asarray(line)[:, 1]) / (north - south)
        found.append(np.round(np.column_stack([x, y]), 4).ravel().tolist())
    return found


def _crosses(line: Array, west: float, east: float, south: float, north: float) -> bool:
    x, y = line[:, 0], line[:, 1]
    return bool(((x > west) & (x < east) & (y > south) & (y < north)).any())
