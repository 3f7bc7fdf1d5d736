"""Scores of one field against the truth."""
