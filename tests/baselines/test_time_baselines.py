"""Baselines in time: known motion, known polynomials."""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter

from app.baselines.optical_flow import between
from app.baselines.time import baseline
from app.data.description import TimeSteps
from app.data.time_axis import NONE, time_axis
from app.data.times import Stamps
from app.grids.motion import motion

HOUR = 3600
STEPS = TimeSteps(3 * HOUR, HOUR)


def reader(frames: np.ndarray):
    def read(rows: np.ndarray) -> np.ndarray:
        return np.where((rows == NONE)[..., None, None, None], np.nan, frames[rows])

    return read


def known(n: int) -> Stamps:
    return Stamps(3 * HOUR * np.arange(n))


def test_linear_and_nearest_on_numbers_by_hand() -> None:
    frames = np.array([0.0, 6.0, 3.0])[:, None, None, None]
    axis = time_axis(known(3), STEPS, summed=False)
    linear, nearest = (
        baseline(name, axis, reader(frames), known(3)).ravel() for name in ("linear", "nearest")
    )
    np.testing.assert_allclose(linear, [0, 2, 4, 6, 5, 4, 3], rtol=1e-6)
    np.testing.assert_allclose(nearest, [0, 0, 6, 6, 6, 3, 3])


def test_cubic_is_the_spline_through_all_known_frames() -> None:
    frames = np.random.default_rng(0).normal(size=(40, 2, 3, 1))
    axis = time_axis(known(40), STEPS, summed=False)
    found = baseline("cubic", axis, reader(frames), known(40))
    whole = CubicSpline(3 * np.arange(40), frames, axis=0)(np.arange(len(axis)))
    np.testing.assert_allclose(found, whole, atol=3e-3)


def test_parts_of_sums_add_up_and_nearest_parts_evenly() -> None:
    totals = np.array([3.0, 12.0, 0.0])[:, None, None, None]
    axis = time_axis(known(3), STEPS, summed=True)
    even, linear = (
        baseline(name, axis, reader(totals), known(3)).reshape(3, 3)
        for name in ("nearest", "linear")
    )
    np.testing.assert_allclose(even, [[1, 1, 1], [4, 4, 4], [0, 0, 0]])
    np.testing.assert_allclose(linear.sum(axis=1), [3, 12, 0], rtol=1e-12)
    assert linear[0, 2] > linear[0, 1]
    assert linear[1, 0] > linear[1, 2]


def moved(dy: int, dx: int) -> tuple[np.ndarray, np.ndarray]:
    """A smooth pattern and itself, moved by whole cells."""
    wide = gaussian_filter(np.random.default_rng(1).normal(size=(90, 90)), 4)
    wide /= wide.std()
    first, second = wide[20:70, 20:70], wide[20 - dy : 70 - dy, 20 - dx : 70 - dx]
    return first[None, ..., None].astype("float32"), second[None, ..., None].astype("float32")


@pytest.mark.parametrize("shift", [(3, -5), (0, 4), (6, 2)])
def test_motion_of_a_translation_is_found(shift: tuple[int, int]) -> None:
    flow = motion(np, *moved(*shift))[0, 10:-10, 10:-10]
    np.testing.assert_allclose(flow.mean(axis=(0, 1)), shift, atol=0.1)


def test_half_way_lies_the_pattern_moved_by_half() -> None:
    first, second = moved(4, -6)
    middle = moved(2, -3)[1]
    found = between(first, second, np.array([0.5]))
    error = np.abs(found - middle)[0, 10:-10, 10:-10].mean()
    linear = np.abs((first + second) / 2 - middle)[0, 10:-10, 10:-10].mean()
    assert error < 0.15 * linear


def test_motion_over_a_quarter_of_the_domain_is_found_right_to_the_edges() -> None:
    """What leaves and what comes in is left out of the comparison, and misleads neither."""
    np.testing.assert_allclose(
        motion(np, *moved(3, -5))[0], np.full((50, 50, 2), [3, -5]), atol=0.3
    )
    far = motion(np, *moved(9, -11))[0]
    assert np.linalg.norm(far - [9, -11], axis=-1).mean() < 0.3
    np.testing.assert_allclose(far[12:-12, 12:-12].mean(axis=(0, 1)), [9, -11], atol=0.05)


def test_nothing_moves_where_nothing_is() -> None:
    np.testing.assert_array_equal(motion(np, *np.zeros((2, 1, 13, 9, 1), "float32")), 0.0)


def test_of_matches_that_are_alike_the_nearer_one_is_taken() -> None:
    """Two waves that look the same 3 cells onward and 13 cells back."""
    rows, columns = np.mgrid[0:32, 0:40]

    def waves(moved: int) -> np.ndarray:
        place = columns - moved
        field = np.sin(place / 2.5) + np.sin(rows / 3 + place / 4)
        return field[None, ..., None].astype("float32")

    for first, second in ((0, 1), (1, 4), (4, 9)):
        flow = motion(np, waves(first), waves(second))[0, 8:-8, 8:-8]
        np.testing.assert_allclose(flow.mean(axis=(0, 1)), [0, second - first], atol=0.1)
