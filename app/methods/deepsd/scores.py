"""What each stage of a stack makes of true fields, and what of those of the stage before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.arrays import Tensor
from app.baselines.base import coarse_inputs, time_blocks
from app.data.shards import Shards
from app.models.block_means import BlockMeans
from app.models.layers.gaps import filled
from app.models.physical import PhysicalModel
from app.models.stack import averaged, bound_name, stage_name

VALUES_HELD = 64  # per cell and sample, in the stages' hidden layers


@dataclass(frozen=True, eq=False)
class StageScore:
    """Area-weighted RMSE (C,) of a stage on its own resolution, in the predictands' units.

    `cells`: of the finest grid along a side of one of its cells. `alone`: fed with true fields;
    `joined`: with what the stages before it give; `summed`: root of the sum of squares of what
    the stages up to it miss alone, which the join would reach if their errors were independent
    and passed on as they are.
    """

    number: int
    cells: int
    alone: NDArray[np.float64]
    joined: NDArray[np.float64]
    summed: NDArray[np.float64]


def score_stages(
    model: PhysicalModel,
    factors: Sequence[int],
    shards: Shards,
    split: str,
    min_valid_fraction: float,
) -> list[StageScore]:
    """Scores of a joined stack's stages on a split, before any constraint.

    The truth of a resolution is the mean of the finest over blocks, as in training.
    """
    means = BlockMeans(shards.geometry.weights(), min_valid_fraction)
    feed = _Feed(model, factors, means)
    squares = np.zeros((len(factors), 2, len(shards.variables["hr"])))
    weight = np.zeros((len(factors), squares.shape[-1]))
    held = VALUES_HELD * prod(shards.geometry.padded_shape)
    for indices in time_blocks(shards.size(split), held):
        batch = {
            "coarse": coarse_inputs(shards, indices, split),
            "time": shards.time_features(split, indices),
            "hr": shards.geometry.pad_field(shards.read("hr", split, indices), axes=(1, 2)),
        }
        for k, (cells, truth, *fields) in enumerate(feed(batch)):
            known = np.isfinite(truth)
            area = means.areas(cells)[..., None]
            weight[k] += (area * known).sum(axis=(0, 1, 2))
            for row, field in zip(squares[k], fields, strict=True):
                error = np.where(known, field - truth, 0.0).astype(np.float64)
                row += (area * error**2).sum(axis=(0, 1, 2))
    mean = squares / weight[:, None]
    rmse = np.sqrt(mean)
    summed = np.sqrt(np.cumsum(mean[:, 0], axis=0))
    return [
        StageScore(k + 1, prod(factors[k + 1 :]), alone, joined, summed[k])
        for k, (alone, joined) in enumerate(rmse)
    ]


class _Feed:
    """Runs the stages of a joined stack one by one."""

    def __init__(self, model: PhysicalModel, factors: Sequence[int], means: BlockMeans) -> None:
        self._model, self._factors, self._means = model, tuple(factors), means
        layer = model.network.get_layer
        numbers = range(1, len(factors) + 1)
        self._stages = [layer(stage_name(number)) for number in numbers]
        self._bounds = [layer(bound_name(number)) for number in numbers[1:]]

    def __call__(self, batch: dict[str, Tensor]) -> Iterator[tuple[int, Any, Any, Any]]:
        """Of each stage: cells, the truth, its field of a true one, and its field when joined."""
        model, scale = self._model, prod(self._factors)
        whole = model.encode_inputs(batch["coarse"], None, batch["time"])
        n_static = model.spec.n_static
        first = whole["coarse"][..., : whole["coarse"].shape[-1] - n_static]
        true = joined = first
        for number, stage in enumerate(self._stages, start=1):
            if number > 1:
                joined = self._bounds[number - 2](joined)
            cells = prod(self._factors[number:])
            static = averaged(whole["static"], cells) if n_static else None
            outputs = [_run(stage, coarse, static) for coarse in (true, joined)]
            truth = self._means(batch, cells, scale)
            alone, behind = (np.asarray(model.decode(y)) for y in outputs)
            yield cells, np.asarray(truth), alone, behind
            encoded = model.encode_targets(truth)
            true = filled(encoded, model.spec.gaps)
            joined = outputs[1]


def _run(stage: Any, coarse: Tensor, static: Tensor | None) -> Tensor:
    inputs = {"coarse": coarse} if static is None else {"coarse": coarse, "static": static}
    return stage(inputs, training=False)
