"""Ensembles in one pass: a network turns noise into members, and learns by a proper score."""
