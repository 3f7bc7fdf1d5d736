"""Diffusion: a network learns to take noise off; members are drawn by a sampler."""
