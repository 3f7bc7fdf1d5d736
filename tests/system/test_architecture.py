"""The paths that ARCHITECTURE.md draws are those of a real run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.conftest import REPOSITORY, environment, flags_for_waves

TEXT = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")


def drawn(name: str) -> list[str]:
    """Files of a numbered list, in its order."""
    part = TEXT.split(f"<!-- {name} -->")[1].split("<!-- end -->")[0]
    return re.findall(r"^\d+\. `([\w/.]+)`", part, flags=re.MULTILINE)


@pytest.mark.slow
def test_paths_of_a_real_run(tmp_path: Path) -> None:
    flags = [*flags_for_waves(tmp_path), "--epochs=1", f"--save_path={tmp_path / 'run'}"]
    driver = Path(__file__).parent / "followed_run.py"
    done = subprocess.run(
        [sys.executable, str(driver), *flags],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["train"] == drawn("train")
    assert [*found["metrics"], "metrics/table.py"] == drawn("metrics")
