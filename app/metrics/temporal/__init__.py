"""Scores of the course in time."""
