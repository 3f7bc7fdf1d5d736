"""Fixtures that every test folder may use."""

import logging
import os
from pathlib import Path

import pytest
from absl import logging as absl_logging

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
REPOSITORY = Path(__file__).resolve().parents[1]


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that no worker is left alone with one at the end."""
    marks = ("slow", "long", "parallel", "slurm")
    slow = {item.path for item in items if any(map(item.get_closest_marker, marks))}
    items.sort(key=lambda item: item.path not in slow)
