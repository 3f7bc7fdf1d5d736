"""Bias correction of coarse input that is not the model's own: by quantiles, cell by cell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from absl import logging

from app.arrays import Array
from app.baselines.base import coarse_inputs
from app.baselines.quantile_mapping import training_quantiles
from app.data.quantile_mapping import LEVELS, delta_mapped, mapped
from app.data.rain import INTERVAL
from app.errors import InputError
from app.inference.external import ExternalInput
from app.integrity import trailer
from app.running.netcdf_file import conventional, write_dataset

if TYPE_CHECKING:
    from app.data.shards import Shards

CLIMATE = "input_climate.nc"  # beside a trained model
Read = Callable[[Array], Array]


def write_input_climate(path: Path, shards: Shards) -> None:
    """Keep the quantiles of the training period's coarse inputs, cell by cell, beside the model."""
    variables = (*shards.variables["lr"], *shards.variables["predictors"])
    shape = (*shards.geometry.coarse_shape, len(variables))
    found = training_quantiles(
        lambda indices: coarse_inputs(shards, indices, "train"), shards.size("train"), shape
    )
    dims = ("level", "y", "x")
    kinds = {variable.name: variable.kind for variable in shards.predictands}
    content = {
        v.name: (
            dims,
            found[..., c].astype(np.float32),
            {"kind": v.kind or kinds.get(v.name) or INTERVAL},
        )
        for c, v in enumerate(variables)
    }
    dataset = xr.Dataset(content, {"level": LEVELS})
    title = "quantiles of the coarse inputs in the training period"
    write_dataset(conventional(dataset, title), path, sealed=True)


class InputClimate:
    """Quantiles (Q, h, w, Cin) of the training period's coarse inputs, in their order."""

    def __init__(self, model: Path, names: list[str]) -> None:
        path = model.parent / CLIMATE
        damage = trailer.damage(path) if path.is_file() else None
        if damage is not None:
            raise InputError(f"--input_correction: {path}: damaged, {damage}; train the run anew")
        try:
            with xr.open_dataset(path, engine="netcdf4") as dataset:
                fields = [dataset[name].load() for name in names]
        except (OSError, KeyError) as error:
            raise InputError(
                f"--input_correction: no climate of the training inputs at {path}; expected the "
                "run folder of a model trained on files"
            ) from error
        self.quantiles = np.stack([field.values for field in fields], axis=-1).astype(np.float64)
        self.ratios = [field.attrs["kind"] == "ratio" for field in fields]


def corrected(
    kind: str, data: ExternalInput, reference: ExternalInput | None, climate: InputClimate
) -> Read:
    """How the input is read with its values brought to the training climate.

    "quantile_mapping" maps the distribution of the reference, the same source's past, or without
    one that of the input itself; "trend_preserving" keeps the change of each quantile from the
    reference to the input.
    """
    if kind == "trend_preserving" and reference is None:
        raise InputError(
            "--input_correction=trend_preserving: expected --input_reference, files of the same "
            "source over the training period, from which the change is measured"
        )
    past = None if reference is None else _quantiles(reference, climate)
    own = _quantiles(data, climate) if past is None or kind == "trend_preserving" else past
    logging.info(
        "input corrected by %s against %s", kind, "itself" if past is None else "its reference"
    )

    def channel(values: Array, c: int) -> Array:
        wanted, ratio = climate.quantiles[..., c], climate.ratios[c]
        if kind == "trend_preserving" and past is not None:
            return delta_mapped(values, own[..., c], past[..., c], wanted, ratio)
        return mapped(values, own[..., c], wanted, ratio)

    def read(indices: Array) -> Array:
        fields = data.read(indices)
        parts = [channel(fields[..., c], c) for c in range(fields.shape[-1])]
        return np.stack(parts, axis=-1)

    return read


def _quantiles(data: ExternalInput, climate: InputClimate) -> Array:
    return training_quantiles(data.read, len(data.stamps), climate.quantiles.shape[1:])
