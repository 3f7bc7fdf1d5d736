"""Scores of ensembles, quantiles and probabilities."""
