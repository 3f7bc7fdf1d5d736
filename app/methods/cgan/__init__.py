"""Conditional adversarial training (CGAN)."""
