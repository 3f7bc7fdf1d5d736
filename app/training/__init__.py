"""Training: one trainer per method, one loop, checkpoints."""
