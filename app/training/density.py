"""Dense weights of the training targets: streamed, and added up over the ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import xarray as xr
from absl import logging

from app.arrays import Array
from app.baselines.base import fine_values, time_blocks
from app.data.contract import PreparedData
from app.data.description import Variable
from app.data.moments import RunningMoments
from app.distributed import Communicator
from app.errors import InputError
from app.losses.dense import (
    DenseWeights,
    Lookup,
    ValueGrid,
    bandwidth_of,
    dense_weights,
    relative_density,
)
from app.options import TrainingConfig
from app.running.netcdf_file import conventional, write_dataset
from app.training.dense_threshold import dense_threshold

Blocks = Callable[[], Iterator[Array]]


def fit_dense_weights(
    config: TrainingConfig,
    shards: PreparedData,
    communicator: Communicator,
    accumulation: int | None = None,
    coarsened: Callable[[Array], Array] | None = None,
) -> DenseWeights | None:
    """The weights that --dense_alpha asks for, fitted on the training targets; None for 0.

    `accumulation`: seconds that amounts are summed over. `coarsened` takes targets (n, y, x, C)
    to those that are trained on, where these are coarser. Every rank reads its share.
    """
    if not config.dense_alpha:
        return None
    share = np.asarray(communicator.ranks.share(shards.size("train")))

    def blocks() -> Iterator[Array]:
        for part in time_blocks(len(share), fine_values(shards)):
            targets = shards.read("hr", "train", share[part])
            yield targets if coarsened is None else coarsened(targets)

    lookups = []
    for c, variable in enumerate(shards.predictands):
        threshold = dense_threshold(config.dense_on, variable, accumulation)
        chosen = _Chosen(blocks, c, threshold, config.dense_on == "log")
        lookups.append(_lookup(chosen, variable, config, communicator))
    return DenseWeights(lookups)


class _Chosen:
    """This rank's training values of one predictand that are weighed, in blocks."""

    def __init__(self, blocks: Blocks, c: int, threshold: float | None, logarithmic: bool) -> None:
        self._blocks, self._c = blocks, c
        self.threshold, self.logarithmic = threshold, logarithmic

    def __iter__(self) -> Iterator[Array]:
        for block in self._blocks():
            values = block[..., self._c].ravel()
            values = values[np.isfinite(values)].astype("float64")
            if self.threshold is not None:
                # in float32, as the lookup will see them
                values = values[values >= np.float32(self.threshold)]
                values = np.log(values / self.threshold) if self.logarithmic else values
            yield values


def _lookup(
    chosen: _Chosen, variable: Variable, config: TrainingConfig, communicator: Communicator
) -> Lookup:
    moments = _moments(chosen, communicator)
    count = float(moments.count[0])
    if not count or not moments.std[0] > 0:
        raise InputError(
            f"--dense_alpha={config.dense_alpha}: the training targets of {variable.name} that "
            f"--dense_on={config.dense_on} weighs are {'all alike' if count else 'none'}; "
            "expected values that differ"
        )
    low, high = (float(moments.state[name][0]) for name in ("minimum", "maximum"))
    bandwidth = bandwidth_of(float(moments.std[0]), count)
    grid = ValueGrid.of(low, high, bandwidth)
    own = sum((grid.histogram(values) for values in chosen), np.zeros(grid.nodes, np.int64))
    counts = np.sum(communicator.gather(own), axis=0)
    relative = relative_density(grid.density(counts, bandwidth), counts)
    weights = dense_weights(relative, counts, config.dense_alpha, config.dense_epsilon)
    logging.info(
        "dense weights of %s: %.3g to %.3g, bandwidth %.3g over %d nodes",
        variable.name,
        weights.min(),
        weights.max(),
        bandwidth,
        grid.nodes,
    )
    return Lookup(grid, weights, relative, chosen.threshold, chosen.logarithmic)


def _moments(chosen: _Chosen, communicator: Communicator) -> RunningMoments:
    own = RunningMoments()
    for values in chosen:
        if len(values):
            own.add(values[:, None])
    total = RunningMoments()
    for state in communicator.gather(own.state):
        other = RunningMoments()
        other.state = state
        total.merge(other)
    if not total.state:
        total.add(np.full((1, 1), np.nan))
    return total


def write_dense_weights(
    path: Path, dense: DenseWeights, variables: tuple[Variable, ...], config: TrainingConfig
) -> None:
    """The lookups as a NetCDF file: weight and relative density over each predictand's values."""
    content = {}
    for lookup, variable in zip(dense.lookups, variables, strict=True):
        values = lookup.grid.values
        if lookup.threshold is not None and lookup.logarithmic:
            values = lookup.threshold * np.exp(values)
        axis = (f"{variable.name}_value", values, {"units": variable.units or "1"})
        content[f"{variable.name}_weight"] = xr.DataArray(
            lookup.weights,
            {axis[0]: (axis[0], axis[1], axis[2])},
            attrs={
                "units": "1",
                "long_name": f"weight of a training target of {variable.name}",
                "threshold": np.nan if lookup.threshold is None else lookup.threshold,
            },
        )
        content[f"{variable.name}_density"] = xr.DataArray(
            lookup.relative,
            {axis[0]: (axis[0], axis[1], axis[2])},
            attrs={"units": "1", "long_name": "density of the targets, from 0 to 1"},
        )
    dataset = xr.Dataset(content)
    dataset.attrs = {
        "alpha": config.dense_alpha,
        "epsilon": config.dense_epsilon,
        "dense_on": config.dense_on,
    }
    write_dataset(conventional(dataset, "weights of rare targets"), path)
