"""A stack of super-resolution stages (DeepSD)."""
