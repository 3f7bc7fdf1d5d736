"""Names of candidates for readers."""

from __future__ import annotations

from app.metrics.table import MODEL

BASE = "base"  # the candidate that is the field which the network corrects
CLIMATOLOGY = "climatology"
OWN = (MODEL, BASE)  # candidates that are parts of the trained model
TITLES = {
    MODEL: "prediction",
    BASE: "base prediction",
    "linear": "linear regression",
    "bcsd": "BCSD",
}


def title(name: str) -> str:
    """A candidate's name for readers."""
    return TITLES.get(name, name.replace("_", " "))


def called(name: str, in_time: bool) -> str:
    """Likewise; between frames in time `linear` is no regression."""
    return "linear in time" if in_time and name == "linear" else title(name)
