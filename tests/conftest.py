"""Fixtures that every test folder may use."""

import logging
import os
from pathlib import Path

import pytest
from absl import logging as absl_logging

from app.distributed.libraries import has_horovod

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
TESTS = Path(__file__).resolve().parent
REPOSITORY = TESTS.parent
QUICK = "quick"
QUICK_ROOMS = (
    *("baselines", "data", "grids", "integrity", "metrics", "options", "running", "sweep"),
)
NOT_QUICK = ("test_reading_properties.py", "test_degenerate.py")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real NetCDF files; the test is skipped where there is none."""
    folder = Path(os.environ.get("FINESCALE_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set FINESCALE_DATA)")
    return folder


@pytest.fixture(autouse=True)
def logging_as_at_the_start() -> None:
    """`caplog` hears absl's logger in each test, whatever ran before it.

    A test that runs `main` in this process leaves absl's handler and levels behind.
    """
    root, logger = logging.getLogger(), absl_logging.get_absl_logger()
    root.removeHandler(absl_logging.get_absl_handler())
    root.setLevel(logging.WARNING)
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`pytest -m quick` imports the files of the quick tests alone."""
    if config.option.markexpr != QUICK or collection_path.name == "conftest.py":
        return None
    return True if _room(collection_path) is not None and not _quick(collection_path) else None


def _room(path: Path) -> str | None:
    """The folder of tests that a file lies in; None for what lies in none."""
    parts = path.relative_to(TESTS).parts if path.is_relative_to(TESTS) else ()
    return parts[0] if parts and parts[0] != "__init__.py" else None


def _quick(path: Path) -> bool:
    return _room(path) in QUICK_ROOMS and path.name not in NOT_QUICK


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that no worker is left alone with one at the end."""
    marks = ("slow", "long", "parallel", "slurm")
    slow = {item.path for item in items if any(map(item.get_closest_marker, marks))}
    items.sort(key=lambda item: item.path not in slow)
    without = pytest.mark.skip("needs the extra horovod")
    for item in items:
        if item.get_closest_marker("horovod") and not has_horovod():
            item.add_marker(without)
        if _quick(item.path) and not any(map(item.get_closest_marker, marks)):
            item.add_marker(QUICK)
