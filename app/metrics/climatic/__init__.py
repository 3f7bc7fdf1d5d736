"""Scores of distributions, extremes and climate indices."""
