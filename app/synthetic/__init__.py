"""The built-in data set: weather over fractal terrain, for first runs and tests."""

from app.synthetic.generator import SyntheticConfig, describe, generate

__all__ = ["SyntheticConfig", "describe", "generate"]
