import pytest

from app.durations import Interval, clock, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("10min", 600),
        ("3h", 10800),
        ("1.5h", 5400),
        ("2d", 172800),
        ("02:00:00", 7200),
        ("1-00:00:30", 86430),
    ],
)
def test_seconds(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "3", "3 hours", "2:00", "-3h", "h"])
def test_no_length_of_time(text: str) -> None:
    assert seconds_of(text) is None


def test_intervals_are_steps_or_seconds() -> None:
    assert Interval.of("500") == Interval(steps=500)
    assert Interval.of("10min") == Interval(seconds=600)
    assert Interval.of("often") is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(59.6, "01:00"), (3599, "59:59"), (3661, "01:01:01"), (90061, "1-01:01:01")],
)
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
