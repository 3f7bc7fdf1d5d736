"""Known frames, the new time axis, and sums that are kept."""

import numpy as np
import pytest

from app.data.description import TimeSteps
from app.data.known_frames import known_frames, withheld_frames
from app.data.time_axis import conserved, time_axis
from app.data.times import Stamps
from app.errors import InputError

HOUR = 3600


def hours(*values: int) -> Stamps:
    return Stamps(HOUR * np.array(values))


def steps(known: int, wanted: int, gaps: str = "refuse") -> TimeSteps:
    return TimeSteps(known * HOUR, wanted * HOUR, gaps)


class TestKnownFrames:
    def test_every_third_is_known_and_the_others_withheld(self) -> None:
        record = hours(*range(10))
        known = known_frames(record, steps(3, 1), False, "x")
        assert (known.rows[:, 0] == [0, 3, 6, 9]).all()
        axis = time_axis(known.stamps, steps(3, 1), False)
        assert (axis.stamps.seconds == record.seconds).all()
        withheld = withheld_frames(record, axis.stamps.take(axis.known < 0), steps(3, 1), False)
        assert (withheld.rows[:, 0] == [1, 2, 4, 5, 7, 8]).all()

    def test_sums_are_of_the_rows_up_to_their_stamp(self) -> None:
        known = known_frames(hours(*range(1, 10)), steps(3, 1), True, "x")
        assert (known.stamps.seconds // HOUR == [3, 6, 9]).all()
        assert (known.rows == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]).all()

    def test_irregular_steps_are_refused_in_one_line_with_the_place(self) -> None:
        with pytest.raises(InputError, match=r"irregular.*1 of 5 are not 1h but 4h.*gap_policy"):
            known_frames(hours(0, 1, 2, 6, 7, 8), steps(2, 1), False, "x")

    def test_gaps_are_skipped_where_the_policy_says_so(self) -> None:
        known = known_frames(hours(0, 1, 2, 6, 7, 8), steps(2, 1, "skip"), False, "x")
        assert (known.stamps.seconds // HOUR == [0, 2, 6, 8]).all()

    @pytest.mark.parametrize("step", [2, 4])
    def test_record_whose_step_does_not_divide_is_refused(self, step: int) -> None:
        with pytest.raises(InputError, match=f"a step of {step}h; expected one that divides"):
            known_frames(hours(*range(0, 40, step)), steps(3, 1), False, "x")


class TestAxis:
    def test_gap_is_left_open_or_bridged(self) -> None:
        known = hours(0, 2, 6, 8)
        split = time_axis(known, steps(2, 1, "skip"), False)
        assert (split.stamps.seconds // HOUR == [0, 1, 2, 6, 7, 8]).all()
        bridged = time_axis(known, steps(2, 1, "bridge"), False)
        assert (bridged.stamps.seconds // HOUR == range(9)).all()
        over = bridged.take(np.array([3, 4, 5]))
        np.testing.assert_allclose(over.theta, [0.25, 0.5, 0.75])
        assert (over.interval == 4 * HOUR).all()
        assert (over.frames == [[-1, 1, 2, -1]] * 3).all()  # frames beyond lie at other distances

    def test_frames_around_and_shares(self) -> None:
        axis = time_axis(hours(0, 3, 6, 9), steps(3, 1), False)
        at = axis.take(np.array([4, 5]))
        assert (at.frames == [0, 1, 2, 3]).all()
        np.testing.assert_allclose(at.theta, [1 / 3, 2 / 3], rtol=1e-6)
        assert (axis.known[[0, 3, 6, 9]] == range(4)).all()
        assert (np.delete(axis.known, [0, 3, 6, 9]) == -1).all()

    def test_explicit_times_lie_between_their_neighbours(self) -> None:
        texts = ("1970-01-01T07:30", "1970-01-01T03", "1970-01-01T00:45")
        axis = time_axis(hours(0, 3, 6, 9), steps(3, 3), False, texts)
        assert (axis.stamps.seconds == [45 * 60, 3 * HOUR, 7.5 * HOUR]).all()
        np.testing.assert_allclose(axis.theta, [0.25, 0, 0.5])
        assert (axis.known == [-1, 1, -1]).all()
        assert (axis.frames[[0, 2]] == [[-1, 0, 1, 2], [1, 2, 3, -1]]).all()

    @pytest.mark.parametrize("text", ["1970-01-01T04", "1970-01-01T10", "1969-12-31"])
    def test_times_that_lie_in_no_interval_are_refused(self, text: str) -> None:
        with pytest.raises(InputError, match="lies between no two known frames 3h apart"):
            time_axis(hours(0, 3, 9), steps(3, 3), False, (text,))
        if text.endswith("T04"):
            bridged = time_axis(hours(0, 3, 9), steps(3, 3, "bridge"), False, (text,))
            np.testing.assert_allclose(bridged.theta, 1 / 6, rtol=1e-6)

    def test_parts_lean_on_the_neighbour_that_is_nearer(self) -> None:
        axis = time_axis(hours(4, 8), steps(4, 1), True)
        assert (axis.stamps.seconds // HOUR == range(1, 9)).all()
        assert (axis.total == [0] * 4 + [1] * 4).all()
        # Middles of the parts lie 3/8 and 1/8 of an interval from the middle of their sum.
        np.testing.assert_allclose(axis.theta, [0, 0, 0.125, 0.375, 0.625, 0.875, 0, 0])
        assert (axis.frames[:, 1] == [0, 0, 0, 0, 0, 0, 1, 1]).all()
        assert (axis.frames[:, 2] == [0, 0, 1, 1, 1, 1, 1, 1]).all()


def test_parts_add_up_and_stay_at_zero_or_above() -> None:
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(50, 6, 4, 5)).astype("float32")
    totals = np.maximum(rng.normal(1, 3, (50, 4, 5)), 0).astype("float32")
    parts[0] = -1.0  # nothing predicted: parted evenly
    found = conserved(parts, totals).astype("float32")
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), totals, rtol=1e-6, atol=0)
    np.testing.assert_allclose(found[0], np.broadcast_to(totals[0] / 6, (6, 4, 5)), rtol=1e-6)
    assert (found[np.broadcast_to((totals == 0)[:, None], found.shape)] == 0).all()
