"""Inference: from a saved model to fields on disk."""
