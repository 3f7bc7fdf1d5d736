"""Downscaling in time, learnt from known frames alone (TemDeep)."""
