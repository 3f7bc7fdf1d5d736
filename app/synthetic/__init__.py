"""The built-in data sets: weather over fractal terrain, and patterns that move."""

from app.synthetic.advection import AdvectionConfig, generate_advection
from app.synthetic.generator import SyntheticConfig, describe, generate

__all__ = ["AdvectionConfig", "SyntheticConfig", "describe", "generate", "generate_advection"]
