"""Flags of networks and their training."""

from __future__ import annotations

from app.options.flag import Flag, registered
from app.registry import REGISTRY

MODEL = (
    registered("backbone", "resnet", "Backbone of the network."),
    registered("upsampling", "spc", "How and where the grid is refined."),
    registered("decoder_upsampling", "rc", "Upsampling in the decoder of unet.", "upsampling"),
    registered("first_guess", "none", "Field that the network corrects."),
    Flag(
        "first_guess_radius",
        "int",
        1,
        "Coarse cells around its own that the linear first guess sees; one less of predictors.",
    ),
    registered(
        "constraint", "none", "How block means of the output are brought to the coarse field."
    ),
    Flag(
        "time_features",
        "names",
        (),
        "What the network and a linear first guess know of the time; several with commas.",
        REGISTRY.names("time_features"),
    ),
    Flag(
        "coordinate_channels",
        "bool",
        False,
        "Latitude and longitude of the cells as static fields.",
    ),
    Flag(
        "observations",
        "text",
        None,
        "NetCDF file of stations whose values the network is told, each in its nearest cell.",
    ),
    Flag("n_filters", "int", 8, "Filters of the first block."),
    Flag("n_blocks", "int", 6, "Blocks of the backbone."),
    Flag(
        "bidirectional",
        "bool",
        True,
        "With --time_window: recurrent layers run both ways, so that frames see later ones.",
    ),
    registered("normalization", None, "Normalisation within blocks."),
    registered("activation", "relu", "Activation within blocks."),
    registered("output_activation", None, "Activation of the last layer.", "activation"),
    Flag("attention", "bool", False, "Channel attention at the end of each block."),
    Flag(
        "localcon_layer",
        "bool",
        False,
        "Localized convolutional block; ties the net to its grid.",
    ),
    registered("dropout_variant", "vanilla", "What dropout drops."),
    Flag("dropout_rate", "float", 0.2, "Share dropped; 0 for none."),
    registered(
        "rc_interpolation", "bilinear", "Interpolation of resize convolution.", "interpolation"
    ),
    Flag(
        "sr_factors",
        "text",
        None,
        "Factors of the stages, coarse to fine, with commas; default: prime factors of --scale "
        "(DeepSDTrainer).",
    ),
    Flag(
        "sr_network",
        "enum",
        "srcnn",
        "Network of a stage: three convolutions, or that of the flags of MODEL.",
        ("srcnn", "backbone"),
    ),
    registered(
        "sr_interpolation",
        "bilinear",
        "Interpolation before a stage's network.",
        "interpolation",
    ),
    Flag("srcnn_filters", "text", "64,32", "Filters of an SRCNN's layers but the last."),
    Flag("srcnn_kernels", "text", "9,1,5", "Kernel sizes of an SRCNN's layers."),
    Flag(
        "srcnn_rates",
        "floats",
        (1.0, 1.0, 0.1),
        "Multiples of --learning_rate for an SRCNN's layers.",
    ),
    Flag("srcnn_residual", "bool", False, "An SRCNN corrects the interpolated predictand."),
    Flag("n_disc_filters", "int", 32, "Filters of the discriminator (CGANTrainer)."),
    Flag("n_disc_blocks", "int", 4, "Blocks in each branch of the discriminator (CGANTrainer)."),
    Flag("disc_dropout_rate", "float", 0.4, "Share dropped in the discriminator; 0 for none."),
    Flag("flow", "bool", True, "Flow module beside the encoder-decoder (TemDeepTrainer)."),
    Flag(
        "flow_filters",
        "ints",
        (16, 24, 32),
        "Width of each level of the flow module, finest first (TemDeepTrainer).",
    ),
    Flag(
        "context_frames",
        "int",
        0,
        "Known frames seen beyond each end of an interval, 0 or 1: with 1 the cubic instead of "
        "the linear interpolation in time is corrected, and motion may speed up and slow down "
        "(TemDeepTrainer).",
    ),
    Flag(
        "sun_response",
        "floats",
        None,
        "Hours within which the field follows the sun, such as 1,8: what the interpolation in time "
        "misses of its course is added in each cell as far as known frames show it "
        "(TemDeepTrainer).",
    ),
)

DIFFUSION = (
    registered("formulation", "edm", "What the denoising network is asked for, and its levels."),
    registered("noise_schedule", "linear", "Levels of DDPM, 1000 of them."),
    Flag("noise_log_mean", "float", -0.5, "Mean of log noise level in training (edm)."),
    Flag("noise_log_std", "float", 1.2, "Its standard deviation (edm)."),
    Flag("sigma_min", "float", 0.004, "Lowest noise level in sampling (edm)."),
    Flag("sigma_max", "float", 80.0, "Highest noise level in sampling (edm)."),
    Flag("min_snr", "float", 0.0, "Bound on the weight of low noise levels; 0: none."),
    Flag(
        "learn_residuals",
        "bool",
        True,
        "Draw what --first_guess leaves; else the first guess only conditions.",
    ),
    Flag(
        "regression_folds",
        "int",
        0,
        "Training residuals come from linear first guesses that have not seen the sample's "
        "fold, of this many; 0: from the first guess itself.",
    ),
    Flag(
        "regression_draws",
        "bool",
        False,
        "Each member has a linear first guess of its own, drawn by what those of the folds differ "
        "by; training residuals then lie half-way between theirs and the first guess's own.",
    ),
    Flag("regression_from", "text", None, "Trained run that gives the first guess instead."),
    Flag(
        "fold_regressions",
        "text",
        None,
        "Runs like it, with commas, the k-th of K trained with --left_out_fold=k/K: training "
        "residuals come from the one that has not seen the sample.",
    ),
    Flag(
        "instance_norm",
        "bool",
        False,
        "Scale targets by mean and standard deviation of each sample's first guess.",
    ),
    Flag(
        "target_scaling",
        "enum",
        "domain",
        "Standardise the targets over the domain, or in each grid point.",
        ("domain", "pixel"),
    ),
    Flag(
        "time_encoding",
        "enum",
        "cyclical",
        "Time features as sines and cosines, or as embedded classes (hours, twelfths).",
        ("cyclical", "classes"),
    ),
    Flag("n_channels", "int", 16, "Channels that --channel_multipliers multiply."),
    Flag("channel_multipliers", "text", "1,2,2,4", "Width of each level of the denoising U-Net."),
    Flag("is_attention", "text", "F,F,T,T", "Which of these levels have self-attention."),
    Flag("unet_blocks", "int", 2, "Residual blocks on each level."),
    registered("noise_embedding", "positional", "How the network is told the noise level."),
)

TRAINING = (
    registered("loss", "mae", "Loss, over valid cells of the scaled fields."),
    Flag("huber_delta", "float", 1.0, "Encoded error beyond which the loss huber is linear."),
    Flag(
        "dense_alpha",
        "float",
        0.0,
        "How much more rare target values weigh in mse, mae and huber (DenseLoss); 0: not.",
    ),
    Flag("dense_epsilon", "float", 1e-6, "Least weight of a target, before its mean is 1."),
    Flag(
        "dense_on",
        "enum",
        "all",
        "Rare among all values, among wet ones, or among the logarithms of wet ones; with the "
        "last two dry values weigh 1.",
        ("all", "wet", "log"),
    ),
    Flag(
        "quantiles",
        "floats",
        (0.1, 0.5, 0.9),
        "Levels that the loss quantile predicts of every predictand (SupervisedTrainer).",
    ),
    Flag(
        "input_noise",
        "float",
        0.0,
        "Standard deviation of Gaussian noise on the scaled coarse inputs, in training only.",
    ),
    Flag("epochs", "int", 100, "Passes over the training period."),
    Flag(
        "trained_epochs",
        "int",
        0,
        "Epochs trained before, counted off --epochs; the learning rate goes on from there.",
    ),
    Flag(
        "sr_stage",
        "text",
        None,
        "Train this stage alone, counted from 1, or join those that are trained; default: all "
        "stages, then join (DeepSDTrainer).",
    ),
    Flag("finetune_joint", "int", 0, "Epochs of the joined stages end to end (DeepSDTrainer)."),
    Flag(
        "finetune_rate",
        "float",
        None,
        "Learning rate of --finetune_joint; default: a tenth of --learning_rate.",
    ),
    Flag("init_from", "text", None, "Run folder or .keras file whose weights to start from."),
    Flag(
        "init_parts",
        "enum",
        "all",
        "What --init_from gives: all weights, or those before the upsampling and the head.",
        ("all", "backbone"),
    ),
    Flag("freeze", "enum", "none", "Layers that keep their weights.", ("none", "backbone")),
    Flag("batch_size", "int", 32, "Samples a step on each rank."),
    Flag("learning_rate", "floats", (1e-3,), "One rate, or two: the second after lr_decay_after."),
    Flag(
        "disc_learning_rate",
        "floats",
        None,
        "Rate or rates of the discriminator (CGANTrainer), if not those of learning_rate.",
    ),
    Flag(
        "pixel_loss_weight",
        "float",
        100.0,
        "Weight of the loss beside the adversarial one of weight 1 (CGANTrainer).",
    ),
    Flag("lr_decay_after", "float", 1e5, "Steps after which the second rate applies."),
    Flag(
        "lr_schedule",
        "enum",
        "piecewise",
        "piecewise, or cosine down to zero.",
        ("piecewise", "cosine"),
    ),
    Flag("lr_scaling", "bool", True, "Multiply the learning rate by the number of ranks."),
    Flag(
        "warmup_steps",
        "int",
        -1,
        "Steps of linear warm-up; -1: one epoch if the rate is multiplied.",
    ),
    Flag("weight_decay", "float", 0.0, "Decoupled weight decay (AdamW)."),
    Flag(
        "ema",
        "float",
        0.0,
        "Decay of the averaged weights that are validated and saved; 0: none.",
    ),
    Flag(
        "left_out_fold",
        "text",
        None,
        "k/K: train without the k-th of K contiguous parts of the training period.",
    ),
    Flag("gradient_clip", "float", 0.0, "Largest norm of the gradient; 0: any."),
    Flag("early_stopping", "bool", False, "Stop when the validation loss no longer falls."),
    Flag("patience", "int", 6, "Epochs without improvement before stopping."),
    Flag("min_delta", "float", 0.0, "What counts as an improvement of the validation loss."),
    Flag("checkpoints_frequency", "int", 2, "Epochs between checkpoints; 0: none but the last."),
    Flag(
        "checkpoint_every",
        "text",
        "10min",
        "Steps or time (500, 90s, 10min, 1h) between checkpoints, besides those; 0: none.",
    ),
    Flag("tensorboard", "bool", True, "Write TensorBoard summaries."),
    Flag(
        "pretrain_epochs",
        "int",
        60,
        "Epochs on triples of known frames; with TemDeepTrainer, --epochs is their sum with "
        "--coherence_epochs.",
    ),
    Flag(
        "coherence_epochs",
        "int",
        20,
        "Further epochs that also ask for coherence in time (TemDeepTrainer).",
    ),
    Flag(
        "pretrain_span",
        "int",
        2,
        "Longest interval between the outer frames of a triple, in input steps, 2 to 4.",
    ),
    Flag("coherence_weight", "float", 1.0, "Weight of coherence beside the triples' loss."),
    Flag(
        "smooth_space",
        "float",
        0.01,
        "Weight of the total variation of the flow, or without it of the correction.",
    ),
    Flag("smooth_time", "float", 0.01, "Weight of the second difference in time."),
    Flag(
        "composite_subset",
        "enum",
        "index",
        "Triples to train on: of the most rapid changes, as many at random, or all.",
        ("index", "random", "all"),
    ),
    Flag("composite_quantile", "float", 0.3, "Share of slowest triples that index leaves out."),
)
