"""Stage `list`: what can be named in flags."""

from __future__ import annotations

from app.registry import REGISTRY
from app.session import Session


def run(session: Session) -> None:
    """Print the registry, a kind a block."""
    if not session.ranks.first:
        return
    for kind in REGISTRY.kinds():
        print(kind)
        for entry in REGISTRY.entries(kind):
            print(f"  {entry.name:<20}{entry.summary}")
