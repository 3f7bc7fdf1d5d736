"""Whether a recipe is asked for, and a session that follows it. Imports no TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from absl import logging

from app import options
from app.errors import InputError
from app.methods.method import method_of
from app.methods.recipe import Recipe
from app.options.chosen import able, method_named
from app.options.readers import path
from app.running.run_folder import RunFolder

if TYPE_CHECKING:
    from app.options import Experiment, Values
    from app.session import Session

BY_TIME = frozenset({"epochs", "early_stopping", "patience"})  # what a time budget decides
AUTO, ENSEMBLE, DL4DS = "auto", "ensemble", "dl4ds"
DATA_FLAGS = ("data", "data_config")  # data that a recipe is chosen for


def wanted(values: Values) -> bool:
    """Whether these flags ask for a recipe: data of the user's own, and not --recipe=dl4ds."""
    return values["recipe"] in (AUTO, ENSEMBLE) and any(values[name] for name in DATA_FLAGS)


def with_trainer(values: Values, given: frozenset[str]) -> Values:
    """The flags, with the method that --recipe=ensemble stands for where none is given.

    Raises InputError where the method that is given has no recipe for an ensemble, and for data
    that no recipe looks at.
    """
    if values["recipe"] != ENSEMBLE:
        return values
    drawing = tuple(n for n in able("members") if method_named(n).recipe_name == ENSEMBLE)
    if values["data_module"]:
        raise InputError(
            f"--recipe={ENSEMBLE} with --data_module={values['data_module']}: recipes look at "
            f"files; expected --data or --data_config, or --trainer={drawing[0]} without a recipe"
        )
    if "trainer" not in given:
        return {**values, "trainer": drawing[0]}
    if values["trainer"] not in drawing:
        raise InputError(
            f"--recipe={ENSEMBLE} with --trainer={values['trainer']}: it has no recipe for an "
            f"ensemble; expected --trainer={' or '.join(drawing)}, or leave one of them out"
        )
    return values


def as_kept(values: Values, given: frozenset[str]) -> Values:
    """The flags, those not given as the run folder has kept them from a recipe chosen before."""
    there = None if values["overwrite"] else _kept(values)
    values = with_head(values, given, there)
    kept = there if wanted(values) else None
    same = kept and ("trainer" not in given or values["trainer"] == kept["trainer"])
    if kept and same and kept["recipe"] == ENSEMBLE and "recipe" not in given:
        values = {**values, "recipe": ENSEMBLE}
    values = with_trainer(values, given)
    if kept is None:
        return values
    chosen = {name: kept[name] for name in method_flags(values) if name not in given}
    return {**values, **chosen}


def with_head(values: Values, given: frozenset[str], there: Values | None = None) -> Values:
    """The flags, --wide_head where it is not given as `there`, in the run folder, or as DL4DS."""
    if "wide_head" in given:
        return values
    wide = values["recipe"] == DL4DS or values["data_module"] is not None
    return {**values, "wide_head": wide if there is None else there["wide_head"]}


def method_flags(values: Values) -> tuple[str, ...]:
    """The flags that this --recipe of the method of --trainer may set; none where it has none."""
    method = method_named(values["trainer"])
    return method.recipe_flags if method.recipe_name == values["recipe"] else ()


def _kept(values: Values) -> Values | None:
    """The flags of the run folder; None where it has none that can be read."""
    folder = RunFolder(path(values["save_path"]))
    try:
        return options.kept_values(folder.experiment) if folder.experiment.is_file() else None
    except InputError:  # damaged: the same data give the same recipe
        return None


def follow(session: Session, *, timed: bool = False) -> None:
    """Give a session the flags that suit its data for training, where a recipe is wanted.

    timed: whether, with a time budget, some steps are timed to find the size of the network.
    """
    experiment, given = session.experiment, session.experiment.given
    if given is None or not wanted(experiment.flags) or not method_flags(experiment.flags):
        return
    if not experiment.overwrite and _kept(experiment.flags) is not None:
        return
    if "train" not in session.shards.splits:
        return
    recipe = method_of(experiment).recipe(experiment, session.shards)
    budget = experiment.training.time_budget
    recipe = recipe.without(given if budget is None else given | BY_TIME)
    if not recipe.values:
        return
    experiment, recipe = _rebuilt(experiment, recipe)
    session.adopt(experiment)
    if timed and budget is not None:
        size = method_of(experiment).sized(session, budget).without(given)
        experiment, size = _rebuilt(experiment, size)
        session.adopt(experiment)
        recipe = recipe.with_choices_of(size)
    logging.info("recipe for these data (flags that you give win; --recipe=dl4ds: none of it):")
    for line in recipe.lines():
        logging.info("%s", line)


def _rebuilt(experiment: Experiment, recipe: Recipe) -> tuple[Experiment, Recipe]:
    """The experiment with as much of the recipe as goes with the flags that the user has given.

    All of it, all but one flag, or else what can be added to the flags one after the other.
    """
    names = frozenset(recipe.values)
    for left_out in (frozenset[str](), *(frozenset({name}) for name in recipe.values)):
        if built := _built(experiment, part := recipe.without(left_out)):
            return built, part
    fitting = Recipe()
    for name in recipe.values:
        more = fitting.with_choices_of(recipe.without(names - {name}))
        if built := _built(experiment, more):
            experiment, fitting = built, more
    return experiment, fitting


def _built(experiment: Experiment, recipe: Recipe) -> Experiment | None:
    """The experiment with a recipe's flags; None where they do not go together."""
    try:
        flags = {**experiment.flags, **recipe.values}
        return options.build(experiment.stages, flags, experiment.given)
    except InputError:
        return None
