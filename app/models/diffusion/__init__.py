"""Diffusion: noise levels, samplers, keyed noise, the denoising network and the model around it."""
