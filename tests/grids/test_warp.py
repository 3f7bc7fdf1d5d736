"""The bilinear sampler against SciPy's, and the flows that it follows."""

from types import ModuleType

import keras
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from app.grids.warp import blend, flows_at, visibility, warp

ENGINES = pytest.mark.parametrize("xp", [np, keras.ops], ids=["numpy", "keras"])


def random_case(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    fields = rng.normal(size=(2, 9, 11, 3)).astype("float32")
    return fields, rng.normal(0, 4, (2, 9, 11, 2)).astype("float32")


@ENGINES
def test_equals_scipy_also_beyond_the_edges(xp: ModuleType) -> None:
    fields, flow = random_case()
    rows, columns = np.meshgrid(range(9), range(11), indexing="ij")
    expected = [
        [
            map_coordinates(
                fields[b, ..., c],
                [rows + flow[b, ..., 0], columns + flow[b, ..., 1]],
                order=1,
                mode="nearest",
            )
            for c in range(3)
        ]
        for b in range(2)
    ]
    found = np.asarray(warp(xp, fields, flow))
    np.testing.assert_allclose(found, np.moveaxis(expected, 1, -1), atol=5e-6)


@ENGINES
def test_exact_on_linear_ramps(xp: ModuleType) -> None:
    rows, columns = np.meshgrid(np.arange(12.0), np.arange(10.0), indexing="ij")
    ramp = (3 * rows - 2 * columns + 1)[None, ..., None].astype("float32")
    flow = np.broadcast_to(np.float32([0.37, -1.25]), (1, 12, 10, 2))
    found = np.asarray(warp(xp, ramp, flow))[0, :11, 2:, 0]
    np.testing.assert_allclose(found, (ramp[0, ..., 0] + 3 * 0.37 + 2 * 1.25)[:11, 2:], atol=2e-6)


@ENGINES
def test_no_flow_gives_the_very_same_field(xp: ModuleType) -> None:
    fields, flow = random_case()
    np.testing.assert_array_equal(np.asarray(warp(xp, fields, 0 * flow)), fields)


def test_gradients_equal_finite_differences() -> None:
    import tensorflow as tf

    fields, flow = random_case(3)
    # Away from the kinks between cells, which finite differences would step over.
    flow = np.floor(flow) + np.clip(flow - np.floor(flow), 0.2, 0.8).astype("float32")
    weights = np.random.default_rng(1).normal(size=fields.shape).astype("float32")

    def total(values: np.ndarray, moves: np.ndarray) -> tf.Tensor:
        return tf.reduce_sum(weights * warp(keras.ops, values, moves))

    inputs = tf.constant(fields), tf.constant(flow)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        result = total(*inputs)
    slopes = tape.gradient(result, inputs)
    rng = np.random.default_rng(2)
    for which in (0, 1):
        for _ in range(10):
            place = tuple(rng.integers(0, n) for n in inputs[which].shape)
            step = np.zeros(inputs[which].shape, "float32")
            step[place] = 0.05
            ahead, behind = (
                total(*(v + sign * step if k == which else v for k, v in enumerate(inputs)))
                for sign in (1, -1)
            )
            expected = float(ahead - behind) / 0.1
            found = np.asarray(tf.convert_to_tensor(slopes[which]))[place]
            assert found == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("theta", [0.0, 0.25, 1.0])
def test_steady_motion_reaches_both_frames(theta: float) -> None:
    """With F10 = -F01 a cell came from -θ F01 and goes on by (1 - θ) F01."""
    forward = np.full((1, 2, 2, 2), 3.0)
    first, second = flows_at(np.full((1, 1, 1, 1), theta), forward, -forward)
    assert first[0, 0, 0, 0] == pytest.approx(-3 * theta)
    assert second[0, 0, 0, 0] == pytest.approx(3 * (1 - theta))


def test_blend_weighs_by_nearness_and_visibility() -> None:
    one, two = np.ones((1, 1, 1, 1)), np.full((1, 1, 1, 1), 5.0)
    cases = ((0.0, 0.1, 1.0), (1.0, 0.9, 0.0), (0.25, 0.5, 0.75), (0.5, 0.9, 0.9))
    for theta, visible, share in cases:
        found = blend(np.full_like(one, theta), one, two, np.full_like(one, visible))
        assert found.item() == pytest.approx(share * 1 + (1 - share) * 5)


def test_what_comes_from_beyond_the_edge_is_not_seen() -> None:
    """Half a cell beyond one frame's edge, two beyond the other's, and within both."""
    first = np.zeros((1, 1, 3, 2), "float32")
    second = first.copy()
    first[0, 0, 0, 1], second[0, 0, 2, 1] = -0.5, 2.0
    found = visibility(np, first, second)[0, 0, :, 0]
    np.testing.assert_allclose(found, [-3.5, 0.0, 7.0])
