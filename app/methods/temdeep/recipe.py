"""What suits which data for training in time, found on hourly temperature and moving patterns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.data.amounts import SUM
from app.data.shards.advice import meaning_of
from app.data.units import is_temperature
from app.methods.recipe import Recipe

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.options import Experiment

HALF_A_DAY = 43_200  # seconds between known frames, from which the sun's course is not seen
PASSES = 15_000  # triples that training reads in all
FEW, MOST = 5, 60  # epochs


def recipe(experiment: Experiment, shards: Shards) -> Recipe:
    """The flags that suit these data: the cubic corrected, sun for temperature, motion else."""
    found, variables = Recipe(), shards.variables["hr"]
    steps = experiment.data.time_steps if experiment.data else None
    if all(meaning_of(shards, variable.name).method != SUM for variable in variables):
        found.choose("the cubic interpolation in time is corrected", context_frames=1)
    known_step = steps.input_step if steps else HALF_A_DAY
    if all(is_temperature(v.units) for v in variables) and known_step < HALF_A_DAY:
        found.choose(
            "temperature follows the sun and the ground more than the wind",
            sun_response=(1.0, 8.0),
            flow=False,
        )
    samples = max(shards.size("train"), 1)
    epochs = max(FEW, min(PASSES // samples, MOST))
    found.choose(
        f"there are {samples} known frames",
        n_filters=16,
        n_blocks=2,
        pretrain_epochs=epochs,
        coherence_epochs=max(1, epochs // 8),
        max_triplet_span=3,
        composite_subset="all",
        batch_size=8,
    )
    found.choose(
        "rates fall and weights are averaged",
        loss="mae",
        learning_rate=(3e-4,),
        lr_schedule="cosine",
        weight_decay=1e-3,
        ema_decay=0.99,
    )
    return found
