"""A trained model on the region of its input files, where nothing ties it to its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from app.arrays import Array, Json
from app.data.reading.sources import open_source
from app.data.shards.coordinate_channels import NAMES, coordinate_fields
from app.data.shards.plan import statics_on
from app.errors import InputError
from app.grids import Geometry, Grid
from app.inference.external import sources_of
from app.models import ModelArrays, PhysicalModel
from app.models.known_inputs import KnownInputs

if TYPE_CHECKING:
    from app.data.description import Source
    from app.models import ModelSpec

FLAG = "--input_grid=own"
SPACING_TOLERANCE = 0.2  # share by which cells may be wider or narrower than those trained on


def own_geometry(
    spec: ModelSpec, files: tuple[str, ...], names: Mapping[str, str] | None = None
) -> Geometry:
    """The input's own grid as the coarse one, its cells cut into `scale` × `scale` fine ones.

    The outer cells are the halo, where the model wants one. InputError for grids with 2-D
    coordinates, and for cells of another size than those the model was trained on.
    """
    coarse = open_source(sources_of(spec, files, names)[0]).grid
    trained = Geometry.from_dict(spec.geometry)
    if not (coarse.rectilinear and trained.fine.rectilinear):
        raise InputError(f"{FLAG}: expected grids with latitudes and longitudes of one dimension")
    for name, own, known in (
        ("latitude", coarse.lat, trained.coarse.lat),
        ("longitude", coarse.lon, trained.coarse.lon),
    ):
        steps = [float(np.median(np.diff(values))) for values in (own, known)]
        if abs(steps[0] / steps[1] - 1) > SPACING_TOLERANCE:
            raise InputError(
                f"{FLAG}: the input has cells of {steps[0]:.4g} degrees of {name}; expected "
                f"{steps[1]:.4g}, on which the model was trained"
            )
    halo, (rows, columns) = trained.halo, coarse.shape
    inner = coarse.take(np.arange(halo, rows - halo), np.arange(halo, columns - halo))
    return Geometry.build(_refined(inner, trained.scale), trained.scale, halo)


def _refined(coarse: Grid, scale: int) -> Grid:
    """Every cell cut into equal parts along both axes."""
    lat, lon = (_cut(edges, scale) for edges in coarse.edges)
    return replace(
        coarse,
        lat=(lat[:-1] + lat[1:]) / 2,
        lon=(lon[:-1] + lon[1:]) / 2,
        dims=coarse.names,
        y=None,
        x=None,
        roll=0,
        file_lon=None,
        lat_edges=lat,
        lon_edges=lon,
    )


def _cut(edges: Array, scale: int) -> Array:
    places = np.arange((len(edges) - 1) * scale + 1) / scale
    return np.interp(places, np.arange(len(edges)), edges)


def own_statics(
    spec: ModelSpec,
    geometry: Geometry,
    given: Sequence[Source],
    names: Mapping[str, str],
    uncovered: str,
) -> tuple[dict[str, Array], Array]:
    """The model's static fields (y, x) by name, as --static gives them, and cells they leave out.

    Each is in the units of training. `names`: the file's name for a field of the model, where it
    is another. InputError where one is missing or does not cover the region.
    """
    units = spec.domain.get("static_units", {})
    wanted = {names.get(name, name): name for name in spec.statics if name not in NAMES}
    sources = [
        replace(
            source,
            variables=tuple(
                replace(v, name=wanted[v.source_name], units=units.get(wanted[v.source_name]))
                for v in source.variables
            ),
        )
        for source in given
        if all(v.source_name in wanted for v in source.variables)
    ]
    found, fields, outside = statics_on(tuple(sources), geometry.fine, uncovered, "--static")
    by_name = {v.name: field for v, field in zip(found, fields, strict=True)}
    missing = [name for name in wanted.values() if name not in by_name]
    if missing:
        raise InputError(
            f"{FLAG}: the model has static fields ({', '.join(wanted.values())}); expected those "
            f"of this region as --static=FILE:VARIABLE,…; {', '.join(missing)} "
            + ("is" if len(missing) == 1 else "are")
            + " not among them"
        )
    return by_name, outside


def _refuse_ties(model: PhysicalModel) -> None:
    """InputError with all that ties a model to its grid, and flags that would not."""
    by_cell = any(len(model.shapes[name]) > 1 for name in ("output_offset", "input_offset"))
    ties = (
        (
            model.tied_to_grid,
            "weights that belong to grid points (a localized layer, or --first_guess=linear or "
            "regression)",
            "--first_guess=bicubic",
        ),
        (by_cell, "scaling that belongs to grid points", "scaling_axes: domain in the YAML"),
        (model.spec.constraint != "none", "a constraint over its own blocks", "--constraint=none"),
    )
    found = [(reason, instead) for tied, reason, instead in ties if tied]
    if found:
        reasons, instead = (" and ".join(texts) for texts in zip(*found, strict=True))
        raise InputError(
            f"{FLAG}: the model has {reasons}, and serves its own grid only; train with {instead} "
            "for other regions"
        )


def moved(
    model: PhysicalModel,
    geometry: Geometry,
    statics: Mapping[str, Array] | None = None,
    outside: Array | None = None,
) -> PhysicalModel:
    """The same network on another grid; coordinate channels are that grid's.

    `statics` (y, x) by name are the other static fields there; nothing is predicted in the cells
    (y, x) `outside`. InputError where the model knows things of its own grid that none knows of
    another.
    """
    spec = model.spec
    _refuse_ties(model)
    coordinates = np.moveaxis(coordinate_fields(geometry.fine), -1, 0)
    known = {**dict(zip(NAMES, coordinates, strict=True)), **(statics or {})}
    lacking = [name for name in spec.statics if name not in known]
    if lacking:
        raise InputError(f"{FLAG}: the model has static fields; expected {', '.join(lacking)}")
    fields = np.zeros((*geometry.fine_shape, len(spec.statics)), np.float32)
    for c, name in enumerate(spec.statics):
        fields[..., c] = known[name]
    top, bottom, left, right = geometry.pad
    served = np.ones(geometry.fine_shape, bool) if outside is None else ~outside
    arrays = ModelArrays(
        np.asarray(model.input_codec.offset),
        np.asarray(model.input_codec.scale),
        np.asarray(model.output_codec.offset),
        np.asarray(model.output_codec.scale),
        mask=np.repeat(geometry.pad_field(served, fill=False)[..., None], len(spec.outputs), -1),
        static=np.pad(fields, ((top, bottom), (left, right), (0, 0)), mode="edge"),
        static_offset=np.asarray(model.static_offset),
        static_scale=np.asarray(model.static_scale),
    )
    place = {**geometry.to_dict(), "pad": list(geometry.pad)}
    placed = replace(spec, geometry=place, domain=_anywhere(spec, geometry))
    return model.on_grid(placed, arrays)


def _anywhere(spec: ModelSpec, geometry: Geometry) -> Json:
    """The description of the training data on another grid, of which all cells count as valid."""
    domain = dict(spec.domain)
    if "inputs" in domain:
        valid = np.ones((*geometry.coarse_shape, len(spec.inputs)), bool)
        domain["inputs"] = replace(KnownInputs.from_dict(domain["inputs"]), valid=valid).to_dict()
    return domain
