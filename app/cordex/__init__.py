"""CORDEX-ML-Bench: its tree of files, the submission that it asks for, and what it costs.

WCRP (2026), arXiv:2606.29172.
"""
