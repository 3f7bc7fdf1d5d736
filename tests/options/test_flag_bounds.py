"""What flags that take numbers accept, and that nothing else gets past the command line."""

import math

import pytest

from app import options
from app.errors import InputError
from app.options.bounds import Bounds

KINDS = {"int": "whole", "ints": "whole", "float": "real", "floats": "real"}
NUMERIC = {name: KINDS[f.kind] for name, f in options.FLAGS_BY_NAME.items() if f.kind in KINDS}
NOT_FINITE = ("nan", "-nan", "inf", "-inf", "1e999")
HUGE = 10**400


def accepts(name: str, text: str) -> bool:
    try:
        _, values = options.parse([f"--{name}={text}"])
    except InputError as refusal:
        line = str(refusal)
        assert line.startswith(f"command line: --{name}={text}: expected ")
        assert "\n" not in line
        return False
    numbers = values[name] if isinstance(values[name], tuple) else (values[name],)
    assert all(math.isfinite(number) for number in numbers)
    return True


def test_every_flag_that_takes_a_number_says_which() -> None:
    assert set(NUMERIC) == {n for n, flag in options.FLAGS_BY_NAME.items() if flag.bounds}


@pytest.mark.parametrize("name", NUMERIC)
def test_default_is_accepted(name: str) -> None:
    default = options.FLAGS_BY_NAME[name].default
    assert default is None or accepts(name, options.as_text(default))


@pytest.mark.parametrize("name", NUMERIC)
def test_what_is_no_finite_number_is_refused(name: str) -> None:
    for text in (*NOT_FINITE, f"1,{NOT_FINITE[0]}"):
        assert not accepts(name, text)


@pytest.mark.parametrize("name", NUMERIC)
def test_numbers_are_accepted_within_the_bounds_alone(name: str) -> None:
    bounds = options.FLAGS_BY_NAME[name].bounds
    assert bounds is not None
    assert accepts(name, str(bounds.least)) == bounds.with_least
    assert accepts(name, str(bounds.most)) == bounds.with_most
    for beyond in (bounds.least - abs(bounds.least) - 1, 2 * abs(bounds.most) + 1, -HUGE, HUGE):
        assert not accepts(name, str(beyond))


@pytest.mark.parametrize(
    ("bounds", "inside", "outside"),
    [
        (Bounds(0, 1), (0, 0.5, 1), (-0.1, 1.1)),
        (Bounds(0, 1, with_most=False), (0, 0.999), (1,)),
        (Bounds(0, 1, with_least=False), (1e-30, 1), (0, -0.0)),
    ],
)
def test_ends_belong_to_an_interval_or_do_not(
    bounds: Bounds, inside: tuple[float, ...], outside: tuple[float, ...]
) -> None:
    assert all(map(bounds.holds, inside))
    assert not any(map(bounds.holds, (*outside, math.nan, math.inf, -math.inf)))


@pytest.mark.parametrize(
    "argument",
    [
        *("--gradient_clip=-1", "--lr_decay_after=-1", "--learning_rate=0", "--learning_rate=1e30"),
        *("--learning_rate=1e-3,-1e-4", "--weight_decay=-1", "--min_delta=-1", "--epochs=0"),
        *("--dropout_rate=1", "--dropout_rate=-0.1", "--ema_decay=1.5", f"--batch_size={10**18}"),
        *(f"--n_filters={10**9}", f"--members={10**9}", "--patience=-1", f"--seed={2**70}"),
        *(f"--time_window={10**9}", "--halo=1000", f"--scale={2**31 - 1}", "--huber_delta=0"),
    ],
)
def test_slips_are_refused(argument: str) -> None:
    with pytest.raises(InputError, match=r"expected .* <"):
        options.parse([argument])
