"""Diffusion. Imports no TensorFlow until it trains."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from app.errors import InputError
from app.methods.method import Abilities
from app.methods.spatial.method import FieldMethod
from app.options.network import FITTED_GUESSES
from app.options.rules import Rule

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.methods.recipe import Recipe
    from app.methods.spatial.method import MakeTrainer
    from app.models import PhysicalModel
    from app.options import Experiment
    from app.ranks import Ranks


class Diffusion(FieldMethod):
    """A U-Net on the fine grid that learns to take noise off what a first guess leaves."""

    abilities = Abilities(observations=True, members=True)
    recipe_name = "ensemble"
    recipe_flags = (
        *(
            "transform",
            "first_guess",
            "first_guess_radius",
            "regression_folds",
            "regression_draws",
        ),
        *("time_features", "constraint", "noise_log_mean", "sigma_min", "sigma_max"),
        *("target_scaling", "padding", "interpolation", "n_channels", "unet_blocks"),
        *("channel_multipliers", "attention_levels", "dropout_rate", "batch_size", "epochs"),
        *("early_stopping", "patience", "warmup_steps", "learning_rate", "lr_schedule"),
        *("weight_decay", "gradient_clip", "ema_decay", "members", "sampler", "sampling_steps"),
    )
    rules = (
        Rule(
            lambda e: e.model.output_activation is not None,
            "--output_activation={output_activation} with --trainer={trainer}: members are drawn "
            "with both signs in encoded space; leave it out",
        ),
        Rule(
            lambda e: e.model.scaled_correction,
            "--scaled_correction with --trainer={trainer}: members are drawn around the first "
            "guess; leave it out",
        ),
        Rule(
            lambda e: e.diffusion.regression_from is not None and e.model.first_guess != "none",
            "--regression_from={regression_from} with --first_guess={first_guess}: expected one "
            "of them",
        ),
        Rule(
            lambda e: e.diffusion.regression_from is not None and e.sampling.patch_size is not None,
            "--regression_from={regression_from} with --patch_size={patch_size}: the trained model "
            "sees the whole domain; leave one of them out",
        ),
        Rule(
            lambda e: (
                e.diffusion.instance_norm
                and e.model.first_guess == "none"
                and e.diffusion.regression_from is None
            ),
            "--instance_norm with --first_guess=none: there is no field to take the mean and "
            "standard deviation of; expected --first_guess=bilinear, bicubic, linear or "
            "regression",
        ),
        Rule(
            lambda e: e.diffusion.regression_folds and e.model.first_guess not in FITTED_GUESSES,
            "--regression_folds={regression_folds} with --first_guess={first_guess}: nothing is "
            "fitted; expected --first_guess=linear or regression",
        ),
        Rule(
            lambda e: e.diffusion.target_scaling == "pixel" and e.sampling.patch_size is not None,
            "--target_scaling=pixel with --patch_size={patch_size}: scaling that belongs to grid "
            "points needs the whole domain; use domain",
        ),
    )

    def recipe(self, experiment: Experiment, shards: Shards) -> Recipe:
        from app.methods.diffusion.recipe import recipe

        return recipe(experiment, shards)

    def model_and_trainer(
        self, experiment: Experiment, shards: Shards, ranks: Ranks
    ) -> tuple[PhysicalModel, MakeTrainer]:
        from app.methods.diffusion.model import build_diffusion
        from app.methods.diffusion.trainer import DiffusionTrainer

        model, cross_fitted = build_diffusion(experiment, shards, ranks)
        return model, partial(DiffusionTrainer, cross_fitted=cross_fitted)

    def check_data(self, experiment: Experiment, shards: Shards) -> None:
        super().check_data(experiment, shards)
        folds, size = experiment.diffusion.regression_folds, shards.size("train")
        if folds and folds > size:
            raise InputError(
                f"--regression_folds={folds}: expected no more than the {size} training samples"
            )

    def kept_values(self, experiment: Experiment, coarse: int, fine: int) -> int:
        from app.training.footprint import LAYERS_A_BLOCK

        config = experiment.diffusion
        shares = (m / 4**level for level, m in enumerate(config.channel_multipliers))
        width = config.n_channels * sum(shares)
        return int(fine * width * LAYERS_A_BLOCK * 2 * config.unet_blocks)
