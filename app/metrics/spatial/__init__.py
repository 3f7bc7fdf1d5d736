"""Scores of patterns in space."""
