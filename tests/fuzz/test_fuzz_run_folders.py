"""Whatever stands in the `experiment.cfg` of a run folder: taken, or refused in one line."""

import tempfile
from pathlib import Path

from fuzz_bytes import changed
from fuzz_helpers import FUZZED, ODD_TEXTS, accepted_or_refused
from hypothesis import given
from hypothesis import strategies as st

from app import options
from app.running.run_folder import RunFolder
from app.session import Session

_, DEFAULTS = options.parse(["--data=a.nc", "--variable=t"])
GOOD = options.as_flagfile(DEFAULTS)


def looked_at(content: bytes) -> None:
    """The same flags again, and stages of another run, in a folder with this file."""
    with tempfile.TemporaryDirectory() as name:
        folder = RunFolder(Path(name))
        folder.experiment.write_bytes(content)
        accepted_or_refused(lambda: folder.check(DEFAULTS, overwrite=False))
        accepted_or_refused(lambda: Session.of_run(Path(name), "test"))


@FUZZED
@given(content=changed(GOOD.encode()))
def test_bytes(content: bytes) -> None:
    looked_at(content)


@FUZZED
@given(
    number=st.integers(0, GOOD.count("\n")),
    text=ODD_TEXTS | st.text(max_size=20),
    name=st.sampled_from(sorted(options.FLAGS_BY_NAME)),
    cut=st.booleans(),
)
def test_lines(number: int, text: str, name: str, cut: bool) -> None:
    lines = GOOD.split("\n")
    kept = lines[number:] if cut else []
    changed_lines = [*lines[:number], f"--{name}={text}", *kept]
    looked_at("\n".join(changed_lines).encode("utf-8", "surrogatepass"))
