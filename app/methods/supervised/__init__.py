"""Supervised training: a loss between predicted and true fields."""
