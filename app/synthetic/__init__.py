"""The built-in data sets: weather over fractal terrain, and patterns that move."""

from pathlib import Path

from app.synthetic.advection import AdvectionConfig, generate_advection
from app.synthetic.generator import SyntheticConfig, describe, generate

__all__ = ["AdvectionConfig", "SyntheticConfig", "describe", "generate", "generate_advection"]


def weather(argument: str, target: Path) -> None:
    """The source `synthetic`."""
    generate(SyntheticConfig(), target)


def moving_patterns(argument: str, target: Path) -> None:
    """The source `synthetic_advection`."""
    generate_advection(AdvectionConfig(), target)
