"""Streaming scores of a prediction and its baselines against the truth."""
