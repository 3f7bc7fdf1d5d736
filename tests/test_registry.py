"""Names and what they stand for."""

import subprocess
import sys

import pytest

from app.errors import InputError
from app.registry import REGISTRY, Registry


def test_duplicates_and_unknown_names_are_errors() -> None:
    registry = Registry()
    registry.add("shape", "round", "no corners", "math:pi")
    with pytest.raises(ValueError, match="registered twice"):
        registry.add("shape", "round", "again")
    with pytest.raises(InputError, match=r"did you mean 'round'.*known: round"):
        registry.resolve("shape", "roun")
    assert registry.resolve("shape", "round") == pytest.approx(3.14159, abs=1e-5)


@pytest.mark.parametrize("kind", [k for k in REGISTRY.kinds() if REGISTRY.entries(k)[0].path])
def test_every_path_leads_somewhere(kind: str) -> None:
    for entry in REGISTRY.entries(kind):
        if entry.path:
            assert callable(REGISTRY.resolve(kind, entry.name))


def test_losses_without_a_path_mix_those_that_have_one() -> None:
    paths = {entry.name: entry.path for entry in REGISTRY.entries("loss")}
    mixes = [name for name, path in paths.items() if not path]
    assert mixes
    assert all(paths[part] for name in mixes for part in name.split("_"))


def test_listing_names_imports_neither_keras_nor_xarray() -> None:
    heavy = ("keras", "tensorflow", "xarray", "scipy", "pydantic", "pandas")
    code = (
        "import sys; from app import main; main.main(['list']);"
        f"sys.exit(any(m in sys.modules for m in {heavy}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "resnet" in done.stdout
