"""What is learnt, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from app.durations import Interval
from app.options.bounds import BELOW_ONE, COUNT, RATE, WEIGHT, WIDTH, WITHIN_ONE, Bounds, above
from app.options.option import Options, option, registered
from app.options.readers import fold, interval, time_limit, whole_numbers
from app.options.rules import Rule, rising
from app.options.run import KeepingOptions
from app.options.sampling import PairOptions
from app.options.temporal import TripleOptions

AMOUNT_LOSS = "bernoulli_gamma"
AMOUNT_PARAMETERS = 3  # wet probability, shape and scale
DENSE_LOSSES = ("mse", "mae", "huber")


@dataclass(frozen=True)
class DiscriminatorOptions(Options):
    """The discriminator."""

    n_disc_filters: int = option(32, "Filters of the discriminator.", bounds=Bounds(1, WIDTH))
    n_disc_blocks: int = option(
        4, "Blocks in each branch of the discriminator.", bounds=Bounds(1, 1000)
    )
    disc_dropout_rate: float = option(
        0.4, "Share dropped in the discriminator; 0 for none.", bounds=BELOW_ONE
    )


@dataclass(frozen=True)
class MemberOptions(Options):
    """Members that a network draws from noise in one pass, and how they are scored in training."""

    noise_channels: int = option(
        4, "Channels of noise that members differ by.", bounds=Bounds(1, WIDTH)
    )
    train_members: int = option(
        2, "Members of each sample in a step of training.", bounds=Bounds(2, 1000)
    )
    member_score: str = option(
        "crps",
        "Score of the members: CRPS of cells, or energy score of whole fields.",
        choices=("crps", "energy"),
    )
    calibrated_spread: bool = option(
        True,
        "Multiply the noise of a trained network by what the validation period supports, from "
        "0.3 to 3, so that members spread as far as they err.",
    )
    score_scales: tuple[int, ...] = option(
        "1,2,4",
        "Cells on a side of the means whose scores are averaged; 1: the cells themselves.",
        read=whole_numbers(1, 1000),
    )


@dataclass(frozen=True)
class LossOptions(Options):
    """The loss, and for how long it is minimised."""

    loss: str = registered("mae", "Loss, over valid cells of the scaled fields.", common=True)
    huber_delta: float = option(
        1.0, "Encoded error beyond which the loss huber is linear.", bounds=above(0, WEIGHT)
    )
    dense_alpha: float = option(
        0.0,
        "How much more rare target values weigh in mse, mae and huber (DenseLoss); 0: not.",
        bounds=Bounds(0, WEIGHT),
    )
    dense_epsilon: float = option(
        1e-6, "Least weight of a target, before its mean is 1.", bounds=above(0, 1)
    )
    dense_on: str = option(
        "all",
        "Rare among all values, among wet ones, or among the logarithms of wet ones; with "
        "the last two dry values weigh 1.",
        choices=("all", "wet", "log"),
    )
    quantiles: tuple[float, ...] = option(
        (0.1, 0.5, 0.9),
        "Levels that the loss quantile predicts of every predictand.",
        bounds=WITHIN_ONE,
    )
    input_noise: float = option(
        0.0,
        "Standard deviation of Gaussian noise on the scaled coarse inputs, in training only.",
        bounds=Bounds(0, 1e6),
    )
    epochs: int = option(
        100, "Passes over the training period.", bounds=Bounds(1, COUNT), free=True, common=True
    )
    time_budget: float | None = option(
        None,
        "Time that training may take, such as 5min or 02:00:00, all attempts of a run together: "
        "the epochs follow from it, in place of --epochs.",
        read=time_limit,
        free=True,
        common=True,
    )
    trained_epochs: int = option(
        0,
        "Epochs trained before, counted off --epochs; the learning rate goes on from there.",
        bounds=Bounds(0, COUNT),
    )


@dataclass(frozen=True)
class TransferConfig(Options):
    """Which weights a fresh run takes from a trained model, and which it never changes."""

    init_from: str | None = option(
        None, "Run folder or .keras file whose weights to start from.", common=True
    )
    init_parts: str = option(
        "all",
        "What --init_from gives: all weights, or those before the upsampling and the head.",
        choices=("all", "backbone"),
    )
    freeze: str = option("none", "Layers that keep their weights.", choices=("none", "backbone"))

    rules: ClassVar[tuple[Rule[TransferConfig], ...]] = (
        Rule(
            lambda t: t.freeze != "none" and t.init_from is None,
            "--freeze={freeze} without --init_from: random weights would stay as they are; name a "
            "trained model, or leave --freeze out",
        ),
    )


@dataclass(frozen=True)
class DescentOptions(Options):
    """Learning rates, averages, early stopping and checkpoints."""

    learning_rate: tuple[float, ...] = option(
        (1e-3,),
        "One rate, or two: the second after lr_decay_after.",
        bounds=above(0, RATE),
        common=True,
    )
    disc_learning_rate: tuple[float, ...] | None = option(
        None,
        "Rate or rates of the discriminator, if not those of learning_rate.",
        bounds=above(0, RATE),
    )
    pixel_loss_weight: float = option(
        100.0,
        "Weight of the loss beside the adversarial one of weight 1.",
        bounds=Bounds(0, WEIGHT),
    )
    lr_decay_after: float = option(
        1e5, "Steps after which the second rate applies.", bounds=Bounds(0, 1e18)
    )
    lr_schedule: str = option(
        "piecewise", "piecewise, or cosine down to zero.", choices=("piecewise", "cosine")
    )
    lr_scaling: bool = option(True, "Multiply the learning rate by the number of ranks.")
    warmup_steps: int = option(
        -1,
        "Steps of linear warm-up; -1: one epoch if the rate is multiplied.",
        bounds=Bounds(-1, COUNT),
    )
    weight_decay: float = option(0.0, "Decoupled weight decay (AdamW).", bounds=Bounds(0, 1e6))
    ema_decay: float = option(
        0.0,
        "Decay of the averaged weights that are validated and saved; 0: none.",
        bounds=BELOW_ONE,
        aliases=("ema",),
    )
    left_out_fold: tuple[int, int] | None = option(
        None, "k/K: train without the k-th of K contiguous parts of the training period.", read=fold
    )
    gradient_clip: float = option(
        0.0, "Largest norm of the gradient; 0: any.", bounds=Bounds(0, WEIGHT)
    )
    early_stopping: bool = option(
        False, "Stop when the validation loss no longer falls.", common=True
    )
    patience: int = option(
        6, "Epochs without improvement before stopping.", bounds=Bounds(1, COUNT)
    )
    min_delta: float = option(
        0.0, "What counts as an improvement of the validation loss.", bounds=Bounds(0, WEIGHT)
    )
    checkpoints_frequency: int = option(
        2, "Epochs between checkpoints; 0: none but the last.", bounds=Bounds(0, COUNT), free=True
    )
    checkpoint_every: Interval = option(
        "10min",
        "Steps or time (500, 90s, 10min, 1h) between checkpoints, besides those; 0: none.",
        read=interval,
        free=True,
    )
    tensorboard: bool = option(True, "Write TensorBoard summaries.", free=True)


@dataclass(frozen=True)
class TrainingConfig(
    PairOptions,
    KeepingOptions,
    DiscriminatorOptions,
    MemberOptions,
    LossOptions,
    DescentOptions,
    TripleOptions,
):
    """How the network is trained."""

    rules: ClassVar[tuple[Rule[TrainingConfig], ...]] = (
        Rule(
            lambda t: t.trained_epochs >= t.epochs,
            "--trained_epochs={trained_epochs} with --epochs={epochs}: expected 0 <= "
            "trained_epochs < epochs, which counts them in",
        ),
        Rule(lambda t: not rising(t.quantiles), "--quantiles={quantiles}: expected rising levels"),
        Rule(
            lambda t: t.dense_alpha and t.loss not in DENSE_LOSSES,
            "--dense_alpha={dense_alpha} with --loss={loss}: expected one of "
            f"{', '.join(DENSE_LOSSES)}, whose cells can be weighed",
        ),
        Rule(
            lambda t: len(t.learning_rate) not in (1, 2),
            "--learning_rate={learning_rate}: expected one or two rates",
        ),
        Rule(
            lambda t: t.lr_schedule == "cosine" and len(t.learning_rate) == 2,
            "--lr_schedule=cosine with --learning_rate={learning_rate}: expected one rate",
        ),
        Rule(
            lambda t: t.disc_learning_rate is not None and len(t.disc_learning_rate) not in (1, 2),
            "--disc_learning_rate={disc_learning_rate}: expected one or two rates",
        ),
        Rule(
            lambda t: t.lr_schedule == "cosine" and len(t.disc_learning_rate or ()) == 2,
            "--lr_schedule=cosine with --disc_learning_rate={disc_learning_rate}: expected one "
            "rate",
        ),
    )

    @property
    def predicted_quantiles(self) -> tuple[float, ...]:
        """The levels that are predicted; none of them with other losses."""
        return self.quantiles if self.loss == "quantile" else ()

    @property
    def output_parameters(self) -> int:
        """Channels that a network has for each predictand."""
        return AMOUNT_PARAMETERS if self.loss == AMOUNT_LOSS else len(self.predicted_quantiles) or 1
