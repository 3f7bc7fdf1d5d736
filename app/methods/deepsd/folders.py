"""Where the stages of a stack are trained."""

from __future__ import annotations

from pathlib import Path


def stage_path(run: Path, number: int) -> Path:
    """Folder of one stage of a stack within that of the run."""
    return run / "stages" / f"stage_{number}"
