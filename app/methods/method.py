"""What the rest of the program asks of a training method. Imports no TensorFlow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from app.errors import InputError
from app.methods.recipe import Recipe
from app.options.chosen import able, method_named

if TYPE_CHECKING:
    from app.data.description import DataDescription
    from app.data.shards import Shards
    from app.options import Experiment, Values
    from app.options.rules import Rule
    from app.options.sampling import StepOptions
    from app.session import Session


@dataclass(frozen=True)
class Abilities:
    """What a method goes with; flags that ask for anything else are refused.

    members: its models draw members without dropout at inference.
    stages: its model is a stack, whose stages can be scored one by one.
    """

    time_windows: bool = False  # --time_window
    observations: bool = False  # --observations
    dense_weights: bool = False  # --dense_alpha
    quantiles: bool = False  # --loss=quantile
    amounts: bool = False  # --loss=bernoulli_gamma
    members: bool = False
    stages: bool = False


class Method(ABC):
    """A way to train; `name` is what --trainer calls it, `summary` one line for lists."""

    abilities: ClassVar[Abilities] = Abilities()
    rules: ClassVar[tuple[Rule[Any], ...]] = ()
    flags: ClassVar[tuple[str, ...]] = ()  # that this method alone reads
    recipe_name: ClassVar[str] = "auto"  # the value of --recipe that asks for its recipe
    recipe_flags: ClassVar[tuple[str, ...]] = ()  # that its recipe may set
    task: ClassVar[str] = "space"  # that it trains for, by its name in `app.tasks`

    def __init__(self, name: str, summary: str = "") -> None:
        self.name, self.summary = name, summary

    @abstractmethod
    def train(self, session: Session) -> None:
        """Train, resume, or find that there is nothing left to do."""

    def resolve(self, values: Values) -> Values:
        """The flags that this method reads in its own way, with what they come to.

        Raises InputError where they come to nothing.
        """
        return {}

    def described(self, data: DataDescription, asked: StepOptions) -> DataDescription:
        """The data to be prepared, with the time steps where the task has them."""
        return data

    def refuse(self, experiment: Experiment) -> None:
        """InputError for flags that this method cannot go with.

        Those are flags that ask for an ability it lacks, and those of its `rules`.
        """
        from app.options.rules import refuse  # whose package imports this module

        abilities, training = self.abilities, experiment.training
        frames = experiment.sampling.time_window
        if training.predicted_quantiles and not abilities.quantiles:
            raise InputError(
                f"--loss=quantile with --trainer={self.name}: expected "
                f"{' or '.join(able('quantiles'))}; no other one trains several quantiles"
            )
        if training.dense_alpha and not abilities.dense_weights:
            raise InputError(
                f"--dense_alpha={training.dense_alpha} with --trainer={self.name}: expected one of "
                f"{', '.join(able('dense_weights'))}"
            )
        if frames is not None and not abilities.time_windows:
            raise InputError(
                f"--trainer={self.name} with --time_window={frames}: this trainer takes "
                f"spatial samples only; expected one of {', '.join(able('time_windows'))}"
            )
        stations = experiment.model.observations is not None
        if stations and (frames is not None or not abilities.observations):
            other = f"--trainer={self.name}" if frames is None else f"--time_window={frames}"
            *others, last = able("observations")
            raise InputError(
                f"--observations with {other}: not made for stations; expected spatial samples and "
                f"{', '.join(others)} or {last}"
            )
        refuse(self.rules, experiment)

    @abstractmethod
    def check_data(self, experiment: Experiment, shards: Shards) -> None:
        """InputError for what is known only with grids, times and variables; reads no fields."""

    def notes(self, shards: Shards) -> Iterator[str]:
        """What the stage `check` says of these data, a line each."""
        yield from ()

    def recipe(self, experiment: Experiment, shards: Shards) -> Recipe:
        """The flags of `recipe_flags` that suit these data, with the reasons; none as a rule."""
        return Recipe()

    def sized(self, session: Session, seconds: float) -> Recipe:
        """The size of a network that can be trained in so many seconds; none as a rule.

        The session has the flags of `recipe`.
        """
        return Recipe()

    def guarded_path(self, experiment: Experiment) -> Path:
        """The folder that this run alone may write to."""
        return experiment.save_path

    def kept_values(self, experiment: Experiment, coarse: int, fine: int) -> int:
        """Values that the network keeps of one frame for its gradients, roughly.

        coarse, fine: cells of a frame on either grid.
        """
        return 0


def method_of(experiment: Experiment) -> Method:
    """The method that --trainer chooses. Raises InputError where there is none."""
    found: Method = method_named(experiment.training.trainer)
    return found
