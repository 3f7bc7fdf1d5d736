"""How many inputs are made up, and what may happen to them."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from app.errors import InputError

# FUZZ_EXAMPLES=10000 pytest tests/fuzz -n 0: as many inputs for each test.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "100"))
FUZZED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=EXAMPLES < 1000,
    suppress_health_check=list(HealthCheck),
)
LONGEST_LINE = 2000  # characters of a refusal

ODD_TEXTS = st.sampled_from(
    [
        "", " ", "0", "1", "-1", "010", "1e3", "1e-3", "1e999", "-1e999", "nan", ".nan", "inf",
        ".inf", "12:30", "1_000", "0x1f", "true", "no", "off", "~", "null", "None", "none",
        "2001-01-01", "2001", "1D", "12h", "-6h", "1D:mean", "1D:", ":", "a:b", "850hPa", "x@850",
        "x@", "@", "1", "${HOME}", "$", "${}", "${NO_SUCH}", "~nobody/x", "s3://b/x", "://",
        "[1]", "[", "]", "{", "{}", "a,b", ",", ",,", "'", '"', "é", "\u2028", "\t", "a\nb", "\r",
        "\x00", "\x1b[31m", "\ud800", "\U0001f300", "9" * 400, "9" * 5000, "x" * 5000, "%", "#",
        "&a", "*a", "<<", "!!int", "|", ">", "---", "?", "-", "=", "--", "../..", "/dev/null",
    ]
)  # fmt: skip


def accepted_or_refused(use: Callable[[], Any]) -> Any:
    """What a use returns, or None where it is refused in one line; anything else is an error."""
    try:
        return use()
    except InputError as refusal:
        line = " ".join(str(refusal).split())
        assert len(line) > 0, "a refusal without words"
        return None
