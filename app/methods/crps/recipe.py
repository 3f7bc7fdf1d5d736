"""What suits which data in training by a proper score."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.methods.recipe import Recipe
from app.methods.spatial.recipe import choose_roots
from app.methods.supervised.recipe import recipe as supervised

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.options import Experiment

MEMBERS = 16
NOT_FOR_MEMBERS = frozenset({"scaled_correction", "loss"})


def recipe(experiment: Experiment, shards: Shards) -> Recipe:
    """The flags of a single field, and those that members need."""
    found = supervised(experiment, shards).without(NOT_FOR_MEMBERS)
    choose_roots(found, shards)
    found.choose("members cost a pass each", members=MEMBERS)
    return found
