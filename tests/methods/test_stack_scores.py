"""Scores of a stack's stages, where every stage is a bilinear interpolation."""

import numpy as np
from memory_shards import fine_grid, perfect_prog

from app.data.shards import Shards
from app.grids import Geometry
from app.methods.deepsd.scores import score_stages
from app.models import Channel, ModelArrays, ModelSpec, PhysicalModel
from app.models.layers.resize import interpolation_matrix
from app.models.stack import build_stages, join_stages
from app.options import ModelConfig, StackConfig

ROWS, COLUMNS = 8, 12
FACTORS = (2, 2)


def interpolating_stack(shards: Shards) -> PhysicalModel:
    """Residual SRCNNs begin with a correction of 0; fields are encoded as they are."""
    stack = StackConfig(
        sr_factors=FACTORS,
        srcnn_filters=(2,),
        srcnn_kernels=(1, 1),
        srcnn_lr_multipliers=(1, 1),
        srcnn_residual=True,
    )
    stages = build_stages(stack, ModelConfig(), n_inputs=1, n_static=1, n_outputs=1, twins=(0,))
    network = join_stages(stages, FACTORS, n_inputs=1, n_static=1, lower_bounds=[-np.inf])
    channel = Channel("t", "K")
    geometry = {**shards.geometry.to_dict(), "pad": list(shards.geometry.pad)}
    spec = ModelSpec((channel,), (channel,), n_lr=1, geometry=geometry, statics=("z",))
    arrays = ModelArrays(
        *(np.array([value]) for value in (0, 1, 0, 1)),
        mask=np.ones((ROWS, COLUMNS, 1), bool),
        static=np.ones((ROWS, COLUMNS, 1)),
    )
    return PhysicalModel(spec, arrays, network, None)


def doubled(fields: np.ndarray) -> np.ndarray:
    rows, columns = (interpolation_matrix(n, 2 * n, "bilinear") for n in fields.shape[1:])
    return np.einsum("yi,bij,xj->byx", rows, fields, columns)


def test_stages_fed_with_true_fields_and_joined() -> None:
    hr = np.random.default_rng(0).normal(280, 5, (12, ROWS, COLUMNS, 1)).astype("float32")
    grid = fine_grid(ROWS, COLUMNS, south=50.0, step=2.0)
    shards = perfect_prog(hr, scale=4, grid=grid)
    first, second = score_stages(interpolating_stack(shards), FACTORS, shards, "test", 0.5)

    fine = shards.read("hr", "test", np.arange(shards.size("test")))[..., 0]
    half, quarter = (Geometry.build(grid, cells).coarsen(fine) for cells in (2, 4))

    def rmse(field: np.ndarray, truth: np.ndarray, cells: int) -> float:
        area = grid.cell_areas().reshape(ROWS // cells, cells, COLUMNS // cells, cells)
        return float(
            np.sqrt(
                np.mean((field - truth) ** 2, axis=0).ravel()
                @ (area.sum(axis=(1, 3)).ravel() / area.sum())
            )
        )

    alone = [rmse(doubled(quarter), half, 2), rmse(doubled(half), fine, 1)]
    assert (first.cells, second.cells) == (2, 1)
    np.testing.assert_allclose([first.alone[0], second.alone[0]], alone, rtol=1e-4)
    np.testing.assert_allclose(first.joined, first.alone)
    joined = rmse(doubled(doubled(quarter)), fine, 1)
    np.testing.assert_allclose(second.joined, joined, rtol=1e-4)
    np.testing.assert_allclose(second.summed, np.hypot(*alone), rtol=1e-4)
