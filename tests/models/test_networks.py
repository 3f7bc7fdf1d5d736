"""Networks: parameter counts by hand, every combination of options through the contract."""

from itertools import product

import keras
import numpy as np
import pytest
from contract import POLICIES, gradients, random_inputs, run_layer_test

from app.errors import InputError
from app.models import build_network
from app.models.loading import load_model
from app.models.unet import encoder_depth
from app.options import ModelConfig
from app.options.network import PLAIN_BLOCKS

TINY = {"n_filters": 4, "n_blocks": 2, "dropout_rate": 0.0}
POST = [
    (backbone, upsampling)
    for backbone in ("convnet", "resnet", "densenet", "convnext")
    for upsampling in ("spc", "rc", "dc", "pin")
]
FLEXIBLE = [*POST, ("unet", "pin")]
PLAIN = [(backbone, upsampling) for backbone in PLAIN_BLOCKS for upsampling in ("spc", "pin")]
PAIRS = [*FLEXIBLE, *PLAIN]
EVERYWHERE = [*product(FLEXIBLE, [None, "bn", "ln"]), *product(PLAIN, [None])]
# Every option at least once with every kind of backbone, few enough to run each time.
SELECTION = [
    {"backbone": "convnet", "upsampling": "spc", "normalization": "bn", "localcon_layer": True},
    {"backbone": "convnet", "upsampling": "pin", "attention": True, "activation": "gelu"},
    {"backbone": "resnet", "upsampling": "spc", "attention": True, "n_filters": 16},
    {"backbone": "resnet", "upsampling": "dc", "activation": "crelu", "localcon_layer": True},
    {"backbone": "resnet", "upsampling": "rc", "rc_interpolation": "bicubic", "dropout_rate": 0.2},
    {"backbone": "densenet", "upsampling": "rc", "normalization": "ln", "activation": "elu"},
    {"backbone": "densenet", "upsampling": "pin", "localcon_layer": True, "activation": "crelu"},
    {"backbone": "convnext", "upsampling": "dc", "normalization": None, "activation": "selu"},
    {"backbone": "convnext", "upsampling": "spc", "normalization": "ln", "activation": "gelu"},
    {"backbone": "unet", "upsampling": "pin", "decoder_upsampling": "spc", "normalization": "bn"},
    {"backbone": "unet", "upsampling": "pin", "decoder_upsampling": "dc", "activation": "crelu"},
    {"backbone": "unet", "upsampling": "pin", "decoder_upsampling": "pin", "n_blocks": 6},
    {"backbone": "resnet", "upsampling": "spc", "wide_head": True, "localcon_layer": True},
    {"backbone": "densenet", "upsampling": "dc", "wide_head": True, "normalization": "bn"},
    {"backbone": "swin2sr", "upsampling": "spc", "n_filters": 8, "n_blocks": 1},
    {"backbone": "conv_baseline", "upsampling": "spc", "activation": "crelu"},
    {"backbone": "deepesd"},
]


def conv(kernel: int, n_in: int, n_out: int) -> int:
    """Weights and biases of a convolution."""
    return kernel**2 * n_in * n_out + n_out


def resnet_spc_parameters(filters: int, blocks: int, n_in: int, n_out: int, factors: list[int]):
    """Worked out from the description of the network, part by part."""
    total = conv(3, n_in, filters)
    before = filters
    for width in (number * filters for number in range(1, blocks + 1)):
        total += conv(3, before, width) + conv(3, width, width)
        total += conv(1, before, width) if before != width else 0
        before = width
    total += conv(3, before, filters)
    total += sum(conv(3, filters, filters * factor**2) for factor in factors)
    total += conv(1, filters, filters) + 2 * conv(3, filters, filters)
    return total + conv(3, filters, n_out) + conv(3, n_out, n_out)


@pytest.mark.parametrize(
    ("filters", "blocks", "n_in", "n_out", "scale", "factors"),
    [(8, 6, 1, 1, 4, [2, 2]), (8, 6, 3, 2, 4, [2, 2]), (4, 2, 1, 1, 10, [2, 5])],
)
def test_parameters_of_resnet_spc_by_hand(filters, blocks, n_in, n_out, scale, factors):
    config = ModelConfig(n_filters=filters, n_blocks=blocks)
    network = build_network(config, n_inputs=n_in, n_static=0, n_outputs=n_out, scale=scale)
    assert network.count_params() == resnet_spc_parameters(filters, blocks, n_in, n_out, factors)


def test_parameters_of_deepesd_by_hand(tmp_path):
    """Fifteen predictors on 4 × 5 cells, three parameters of each of 7 × 9 cells of the target."""
    pad = (2, 3, 4, 2)
    config = ModelConfig(backbone="deepesd")
    network = build_network(
        config, n_inputs=15, n_static=1, n_outputs=3, scale=3, coarse_shape=(4, 5), pad=pad
    )
    convolutions = conv(3, 15, 50) + conv(3, 50, 25) + conv(3, 25, 10)
    dense = config.dense_weights(4 * 5, 7 * 9 * 3)
    assert dense == (4 * 5 * 10 + 1) * 7 * 9 * 3
    assert network.count_params() == convolutions + dense
    ones = {"coarse": np.ones((2, 4, 5, 16)), "static": np.ones((1, 12, 15, 1))}
    network.save(tmp_path / "network.keras")
    fields = np.asarray(load_model(tmp_path / "network.keras")(ones))
    np.testing.assert_array_equal(fields, np.asarray(network(ones)))
    assert fields.shape == (2, 12, 15, 3)
    inside = np.zeros((12, 15), bool)
    inside[2:9, 4:13] = True
    assert (fields[:, ~inside] == 0).all()
    assert (fields[:, inside] != 0).all()


def test_statics_say_nothing_to_deepesd():
    """What is the same at all times is in the dense layer already."""
    network = build_network(
        ModelConfig(backbone="deepesd"),
        n_inputs=1,
        n_static=1,
        n_outputs=1,
        scale=2,
        coarse_shape=(3, 3),
    )
    coarse = np.random.default_rng(0).normal(size=(1, 3, 3, 2))
    other = np.concatenate([coarse[..., :1], coarse[..., 1:] + 1], axis=-1)
    fields = [
        np.asarray(network({"coarse": c, "static": np.full((1, 6, 6, 1), s)}))
        for c, s in ((coarse, 0.0), (other, 5.0))
    ]
    np.testing.assert_array_equal(*fields)


def test_parameters_of_the_reference_network():
    """Stem 80; blocks 1168, 3632, 9096, 16992, 27320, 40080; trunk 3464; upsampling 2 × 2336;
    transition 72; refinement 1168; output 73 + 10.
    """
    network = build_network(ModelConfig(), n_inputs=1, n_static=0, n_outputs=1, scale=4)
    assert network.count_params() == 107_827


def test_a_wide_head_has_the_weights_of_the_original():
    """DL4DS 1.8.0 counts 204,405, of which 8·2 + 2 + 2·8 + 8 are a channel attention.

    By hand: up to the blocks 98,368 as above; trunk 9·48·48 + 48; skip 8·48 + 48; one convolution
    to 4·48 for both steps; transition 48·8 + 8; refinement 1168; output 73 + 10.
    """
    config = ModelConfig(wide_head=True)
    network = build_network(config, n_inputs=1, n_static=0, n_outputs=1, scale=4)
    by_hand = 98_368 + 20_784 + 432 + 83_136 + 392 + 1168 + 83
    assert network.count_params() == by_hand == 204_405 - 42


@pytest.mark.parametrize("options", [{"backbone": "unet", "upsampling": "pin"}, {"time_window": 2}])
def test_blocks_of_one_width_have_no_wide_head(options):
    narrow, wide = (ModelConfig(**TINY, **options, wide_head=wide) for wide in (False, True))
    sizes = {"n_inputs": 1, "n_static": 1, "n_outputs": 1, "scale": 4}
    counts = [build_network(config, **sizes).count_params() for config in (narrow, wide)]
    assert counts[0] == counts[1]


@pytest.mark.parametrize("options", SELECTION)
def test_network_contract(options, tmp_path):
    run_network_contract({**TINY, **options}, 2, tmp_path, ("float32", "mixed_bfloat16"))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(EVERYWHERE)))
def test_network_contract_everywhere(number, tmp_path):
    """Every backbone, upsampling and normalisation; the other options alternate among them."""
    (backbone, upsampling), normalization = EVERYWHERE[number]
    options = {
        "backbone": backbone,
        "upsampling": upsampling,
        "normalization": normalization,
        "attention": number % 2 == 0 and backbone not in PLAIN_BLOCKS,
        "localcon_layer": number % 4 < 2,
        "n_filters": 16,
    }
    run_network_contract({**TINY, **options}, number % 5 % 2, tmp_path, POLICIES, 2 + number % 3)


def run_network_contract(options, n_static, folder, policies, scale=2):
    """Two inputs and three outputs on a coarse grid of odd size."""
    config = ModelConfig(**options)
    h, w = 5, 3
    grid = (h * scale, w * scale) if config.upsampling == "pin" else (h, w)
    shapes = {"coarse": (2, *grid, 2 + n_static)}
    if n_static:
        shapes["static"] = (2, h * scale, w * scale, n_static)
    run_layer_test(
        lambda: build_network(
            config,
            n_inputs=2,
            n_static=n_static,
            n_outputs=3,
            scale=scale,
            coarse_shape=(h, w),
        ),
        shapes,
        (2, h * scale, w * scale, 3),
        folder,
        policies,
    )


@pytest.mark.parametrize(("backbone", "upsampling"), PAIRS)
def test_networks_serve_any_size_when_none_is_fixed(backbone, upsampling):
    config = ModelConfig(backbone=backbone, upsampling=upsampling, **TINY)
    network = build_network(config, n_inputs=1, n_static=1, n_outputs=1, scale=4)
    for h, w in [(3, 5), (4, 4)]:
        grid = (4 * h, 4 * w) if upsampling == "pin" else (h, w)
        y = network(random_inputs({"coarse": (1, *grid, 2), "static": (1, 4 * h, 4 * w, 1)}))
        assert tuple(y.shape) == (1, 4 * h, 4 * w, 1)


def test_one_static_field_serves_the_whole_batch():
    network = build_network(ModelConfig(**TINY), n_inputs=1, n_static=1, n_outputs=1, scale=2)
    x = random_inputs({"coarse": (3, 4, 5, 2), "static": (1, 8, 10, 1)})
    once = network(x)
    repeated = network({**x, "static": x["static"].repeat(3, axis=0)})
    np.testing.assert_allclose(once, repeated, atol=1e-6)


def test_every_output_channel_is_predicted():
    network = build_network(ModelConfig(**TINY), n_inputs=1, n_static=0, n_outputs=3, scale=2)
    y = np.asarray(network(random_inputs({"coarse": (2, 4, 5, 1)})))
    spread = np.abs(y[..., :, None] - y[..., None, :]).max(axis=(0, 1, 2))
    assert (spread[~np.eye(3, dtype=bool)] > 1e-3).all()


def test_output_activation_shuts_the_last_block_only():
    config = ModelConfig(output_activation="relu", activation="elu", **TINY)
    network = build_network(config, n_inputs=1, n_static=0, n_outputs=1, scale=2)
    kinds = {layer.name: layer for layer in network.layers}
    assert kinds["output"].activation == "relu"
    assert kinds["refine"].activation is None
    assert kinds["block_1"].activation == "elu"
    assert (np.asarray(network(random_inputs({"coarse": (2, 4, 5, 1)}))) >= 0).all()


def test_softplus_is_left_to_the_physical_model():
    config = ModelConfig(output_activation="softplus", activation="softplus", **TINY)
    network = build_network(config, n_inputs=1, n_static=0, n_outputs=1, scale=2)
    kinds = {layer.name: layer for layer in network.layers}
    assert kinds["output"].activation is None
    assert kinds["block_1"].activation == "softplus"


@pytest.mark.parametrize("normalization", ["bn", "ln"])
def test_output_block_is_never_normalised(normalization):
    config = ModelConfig(normalization=normalization, **TINY)
    network = build_network(config, n_inputs=1, n_static=0, n_outputs=1, scale=2)
    names = [weight.path for weight in network.weights if "normalization" in weight.path]
    assert names
    assert not [name for name in names if name.startswith("output")]


def test_network_that_starts_at_zero_learns_in_all_its_parts():
    """Only the last convolution has a slope at first; after one step everything has."""
    keras.utils.set_random_seed(0)
    config = ModelConfig(**{**TINY, "activation": "elu"})
    network = build_network(config, n_inputs=2, n_static=1, n_outputs=1, scale=2, zero_output=True)
    x = random_inputs({"coarse": (2, 4, 5, 3), "static": (1, 8, 10, 1)})
    np.testing.assert_array_equal(network(x), 0)
    for weight, part in zip(network.trainable_weights, gradients(network, x), strict=True):
        weight.assign_sub(0.1 * part)
    for weight, part in zip(network.trainable_weights, gradients(network, x), strict=True):
        assert np.abs(part).max() > 0, weight.path


@pytest.mark.parametrize(
    ("size", "blocks", "depth"),
    [((64, 64), 6, 5), ((64, 64), 2, 2), ((19, 29), 6, 4), ((2, 9), 6, 0), ((None, None), 4, 4)],
)
def test_unet_depth_leaves_two_cells(size, blocks, depth):
    """19 → 10 → 5 → 3 → 2: four halvings, rounded up."""
    assert encoder_depth(size, blocks) == depth


def test_unet_widths_are_capped():
    config = ModelConfig(backbone="unet", upsampling="pin", n_filters=128, n_blocks=3)
    network = build_network(config, n_inputs=1, n_static=0, n_outputs=1, scale=2)
    widths = [network.get_layer(f"encoder_{level}").filters for level in (1, 2, 3)]
    assert [*widths, network.get_layer("bottleneck").filters] == [128, 256, 256, 256]


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_precision_stays_within_the_network(dtype):
    network = build_network(
        ModelConfig(**TINY), n_inputs=1, n_static=0, n_outputs=1, scale=2, dtype=dtype
    )
    assert keras.config.dtype_policy().name == "float32"
    policies = {layer.dtype_policy.name for layer in network.layers if layer.weights}
    assert policies == {dtype}
    assert network.output.dtype == "float32"


def test_impossible_options_are_refused_in_one_line():
    sizes = {"n_inputs": 1, "n_static": 0, "n_outputs": 1, "scale": 2}
    for config, words in [
        (ModelConfig(backbone="resnett"), "did you mean 'resnet'"),
        (ModelConfig(upsampling="bilinear"), "unknown upsampling"),
        (ModelConfig(localcon_layer=True), "localcon_layer"),
    ]:
        with pytest.raises(InputError, match=words) as caught:
            build_network(config, **sizes)
        assert "\n" not in str(caught.value)
