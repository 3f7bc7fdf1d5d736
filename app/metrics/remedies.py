"""What to try where a prediction is wanting: a sentence each, by what is wanting."""

from __future__ import annotations

PERIOD = (
    "a longer test period gives intervals: three days of sub-daily data, three weeks of daily ones."
)
IN_SPACE = {
    "baseline": "--first_guess=regression, so that the network corrects the best regression; where "
    "it does, more samples, predictors, --epochs or --time_budget.",
    "base": "the network adds nothing certain to its base prediction; more samples, predictors, "
    "static fields or, after few epochs, a longer training may help.",
    "members": "more --members, as the mean of few is noisier than a single field of least error.",
    "signal": "predictors that tell more: the inputs have no skill over the mean of the training "
    "period.",
    "period": PERIOD,
    "smooth": "an ensemble, as a single field of least error is smooth and short of extremes: "
    "--recipe=ensemble.",
    "drizzle": "--loss=bernoulli_gamma --members=16, which draws wet and dry cells instead of "
    "their mean.",
    "bias": "a look at units, season and period: the test period is shifted against the training "
    "period, or the network has not learnt its mean; --first_guess=regression keeps that of "
    "training.",
    "rough": "members that vary in space as the truth does: more --sampling_steps of a diffusion "
    "model; members drawn for each cell by itself cannot.",
    "restless": "--noise_lag1_correlation, so that what members add lasts from time to time.",
    "narrow": "more spread: --regression_folds=7 --regression_draws with --first_guess=regression, "
    "a longer training after few epochs, or several trained runs by --ensemble.",
    "wide": "less spread: more --epochs, or a lower --learning_rate.",
}
IN_TIME = {
    "baseline": "a longer training, by --time_budget or --pretrain_epochs; and where they are not "
    "set, --context_frames=1, so that the network corrects the cubic spline, and --sun_response "
    "for what follows the sun.",
    "base": IN_SPACE["base"],
    "period": PERIOD,
}
