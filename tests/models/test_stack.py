"""Stacks of stages: shapes, weights counted by hand, and what the join computes."""

import keras
import numpy as np
import pytest

from app.models.layers.resize import interpolation_matrix
from app.models.stack import LowerBound, TakeChannels, build_stages, join_stages
from app.options import ModelConfig, StackConfig

SMALL = {"srcnn_filters": (6, 4), "srcnn_kernels": (3, 1, 3)}


def stages_of(factors, n_inputs=3, n_static=2, n_outputs=1, twins=(0,), **options):
    keras.utils.set_random_seed(1)
    stack = StackConfig(sr_factors=factors, **{**SMALL, **options})
    return build_stages(
        stack,
        ModelConfig(n_filters=4, n_blocks=1, dropout_rate=0),
        n_inputs=n_inputs,
        n_static=n_static,
        n_outputs=n_outputs,
        twins=twins,
    )


def enlarged(field, factor):
    rows, columns = (interpolation_matrix(n, n * factor, "bilinear") for n in field.shape[1:3])
    return np.einsum("yi,bijc,xj->byxc", rows, field, columns)


def test_weights_of_an_srcnn_counted_by_hand():
    first, second = stages_of((2, 2), srcnn_filters=(64, 32), srcnn_kernels=(9, 1, 5))
    assert first.count_params() == (81 * 5 * 64 + 64) + (64 * 32 + 32) + (25 * 32 + 1)
    assert second.count_params() == (81 * 3 * 64 + 64) + (64 * 32 + 32) + (25 * 32 + 1)


def test_a_residual_srcnn_begins_at_the_interpolation():
    (stage,) = stages_of((3,), srcnn_residual=True, twins=(1,))
    coarse = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype("float32")
    static = np.ones((1, 12, 15, 2), "float32")
    found = stage({"coarse": coarse, "static": static})
    np.testing.assert_allclose(found, enlarged(coarse[..., 1:2], 3), atol=1e-5)


@pytest.mark.parametrize("factors", [(2, 2), (3, 2), (2, 2, 2)])
@pytest.mark.parametrize("options", [{}, {"sr_network": "backbone"}], ids=["srcnn", "backbone"])
def test_the_join_is_one_stage_behind_the_other_with_statics_of_each_resolution(factors, options):
    stages = stages_of(factors, **options)
    joined = join_stages(stages, factors, n_inputs=3, n_static=2, lower_bounds=[-0.1])
    scale = int(np.prod(factors))
    rng = np.random.default_rng(0)
    coarse = rng.normal(size=(2, 4, 6, 3)).astype("float32")
    static = rng.normal(size=(1, 4 * scale, 6 * scale, 2)).astype("float32")
    beside = np.concatenate([coarse, np.full((2, 4, 6, 2), 99, "float32")], axis=-1)
    found = np.asarray(joined({"coarse": beside, "static": static}))
    assert found.shape == (2, 4 * scale, 6 * scale, 1)
    y, reached = coarse, 1
    for number, (stage, factor) in enumerate(zip(stages, factors, strict=True)):
        reached *= factor
        rest = scale // reached
        means = static.reshape(1, 4 * reached, rest, 6 * reached, rest, 2).mean(axis=(2, 4))
        y = np.maximum(y, -0.1) if number else y
        y = np.asarray(stage({"coarse": y, "static": means}))
    np.testing.assert_allclose(found, y, atol=1e-5)


def test_a_joined_stack_is_saved_and_read_again(tmp_path):
    stages = stages_of((2, 2), n_static=0, srcnn_residual=True)
    joined = join_stages(stages, (2, 2), n_inputs=3, n_static=0, lower_bounds=[-np.inf])
    joined.save(tmp_path / "stack.keras")
    again = keras.models.load_model(tmp_path / "stack.keras", compile=False)
    coarse = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype("float32")
    np.testing.assert_array_equal(again({"coarse": coarse}), joined({"coarse": coarse}))


def test_layers_of_the_join():
    field = np.array([[[[-3.0, 5.0, 7.0]]]], "float32")
    np.testing.assert_array_equal(TakeChannels([2, 0])(field), [[[[7, -3]]]])
    np.testing.assert_array_equal(LowerBound([-1.0, -np.inf, 9.0])(field), [[[[-1, 5, 9]]]])
