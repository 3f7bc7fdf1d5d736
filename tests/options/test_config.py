"""What an experiment refuses before any data is read."""

from pathlib import Path

import pytest

from app import options
from app.errors import InputError

DATA = ["--data=synthetic", "--variable=t2m"]


def build(*argv: str) -> options.Experiment:
    return options.build(*options.parse(argv))


def test_stages_come_in_their_order_and_override_the_booleans() -> None:
    assert build("metrics", "train", *DATA, "--notrain").stages == ("train", "metrics")
    assert build("--notest", *DATA).stages == ("train", "metrics")


def test_stages_of_a_stack_are_the_prime_factors_of_the_scale() -> None:
    assert build("train", "--scale=12", *DATA).stack.sr_factors == (2, 2, 3)
    given = build("train", "--scale=12", "--sr_factors=3,4", *DATA).stack
    assert (given.sr_factors, given.numbers, given.joins) == ((3, 4), (1, 2), True)
    second = build("train", "--scale=12", "--sr_factors=3,4", "--sr_stage=2", *DATA).stack
    assert (second.numbers, second.joins) == ((2,), False)


def test_transform_of_the_flag_takes_the_place_of_the_descriptions() -> None:
    rain = ["--data=synthetic", "--variable=pr"]
    (plain,) = build("train", *rain).data.predictand.variables
    assert (plain.kind, plain.transform, plain.valid_min) == ("ratio", "sqrt", 0)
    (changed,) = build(
        "train", *rain, "--transform=log1p", "--transform_scale=0.1"
    ).data.predictand.variables
    assert (changed.transform, changed.transform_scale) == ("log1p", 0.1)


def test_debug_is_two_epochs_of_six_steps() -> None:
    experiment = build("train", "--debug", "--epochs=50", *DATA)
    assert experiment.training.epochs == 2
    assert experiment.sampling.max_steps == 6
    assert build("train", "--debug", "--trained_epochs=5", *DATA).training.epochs == 7


def test_windows_reach_samples_and_network_alike() -> None:
    experiment = build("train", "--time_window=4", "--nobidirectional", *DATA)
    assert experiment.sampling.time_window == experiment.model.time_window == 4
    assert not experiment.model.bidirectional


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--backbone=unet"], "needs --upsampling=pin"),
        (["--backbone=unet", "--upsampling=pin", "--time_window=3"], "spatial samples only"),
        (["--backbone=convnext", "--time_window=3"], "spatial samples only"),
        (["--backbone=swin2sr", "--attention"], "--attention: the blocks of this backbone"),
        (["--backbone=conv_baseline", "--normalization=bn"], "--normalization=bn: the blocks"),
        (["--paired_samples=explicit"], "need low-resolution data"),
        (["--quantiles=0.5,0.1"], "--quantiles=0.5,0.1: expected rising levels"),
        (
            ["--time_window=4", "--trainer=DiffusionTrainer"],
            "DiffusionTrainer with --time_window=4",
        ),
        (["--loss=quantile", "--trainer=CGANTrainer"], "expected SupervisedTrainer"),
        (["--loss=quantile", "--constraint=additive"], "leave one of them out"),
        (["--loss=quantile", "--members=3"], "quantiles have no members"),
        (["--dense_alpha=1", "--loss=dssim"], "expected one of mse, mae, huber"),
        (["--loss=bernoulli_gamma", "--first_guess=bicubic"], "a probability, a shape and a scale"),
        (["--loss=bernoulli_gamma", "--trainer=CGANTrainer"], "--trainer=CGANTrainer with"),
        (["--observations=s.nc", "--time_window=3"], "--observations with --time_window=3"),
        (["--observations=s.nc", "--trainer=DeepSDTrainer"], "not made for stations"),
        (["--write_quantiles=0.9,0.1"], "expected rising levels"),
        (["--input_correction=quantile_mapping"], "expected --input"),
        (["--patch_stride=8"], "expected --patch_size too"),
        (["--patch_size=8", "--patch_stride=6", "--scale=4"], "--patch_stride=6: expected a mult"),
        (["--output_activation=crelu"], "doubles the output channels"),
        (["--scale=1"], "--scale=1: expected 2 or more, or --trainer=TemDeepTrainer"),
        (["--patch_size=10", "--scale=4"], "expected a multiple of --scale=4"),
        (["--patch_size=16", "--scale=4", "--localcon_layer"], "need the whole domain"),
        (["--learning_rate=1e-3,1e-4,1e-5"], "one or two rates"),
        (["--trained_epochs=5", "--epochs=5"], "expected 0 <= trained_epochs < epochs"),
        (["--srcnn_filters=64,999999999"], "expected whole numbers from 1 to 65536"),
        (["--freeze=backbone"], "--freeze=backbone without --init_from"),
        (["--save_path=runs/a", "--init_from=runs/a/model.keras"], "lies in --save_path=runs/a"),
        (["--data_module=x.py"], "expected exactly one of"),
    ],
)
def test_impossible_experiments_are_refused(argv: list[str], expected: str) -> None:
    with pytest.raises(InputError) as refusal:
        build("train", *DATA, *argv)
    assert expected in str(refusal.value)


def test_no_data_and_unknown_stage_are_refused() -> None:
    with pytest.raises(InputError, match="received none of them"):
        build("train")
    with pytest.raises(InputError, match="did you mean 'train'"):
        build("trian", *DATA)
    with pytest.raises(InputError, match=r"a file where a stage is expected; .*--data='\*\.nc'"):
        build("train", __file__, *DATA)
    with pytest.raises(InputError, match="expected --variable=NAME"):
        build("train", "--data=x.nc")


YAML = """
predictand:
  files: ${DATA_ROOT}/truth_*.nc
  variables: {tas: {units: degC}, pr: {transform: log1p, transform_scale: 1.0, kind: ratio}}
low_resolution: {files: [a.nc, /b.nc], variables: [tas]}
predictors:
  - {files: c.nc, variables: [ta@850, psl], lags: [0, 1]}
static: {files: d.nc, variables: orography}
region: {lat: [60, 50], lon: [-10, 2]}
splits: {train: ["2000", "2001"], validation: ["2002", "2002"], test: ["2003", "2003-06"], gap: 1D}
"""


def described(tmp_path: Path, text: str, *argv: str) -> options.Experiment:
    path = tmp_path / "data.yml"
    path.write_text(text, encoding="utf-8")
    return build("train", f"--data_config={path}", f"--data_root={tmp_path}", *argv)


def test_yaml_is_read_as_written(tmp_path: Path) -> None:
    data = described(tmp_path, YAML, "--paired_samples=explicit").data
    assert data is not None
    assert data.predictand is not None
    assert data.low_resolution is not None
    assert data.region is not None
    assert data.predictand.files == (f"{tmp_path.resolve()}/truth_*.nc",)
    assert data.predictand.variables[1].transform == "log1p"
    assert data.low_resolution.files == (f"{tmp_path.resolve()}/a.nc", "/b.nc")
    level = data.predictors[0].variables[0]
    assert (level.name, level.source_name, level.level) == ("ta850", "ta", 850.0)
    assert data.predictors[0].lags == (0, 1)
    assert data.region.lat == (50.0, 60.0)
    assert data.splits.train == (("2000", "2001"),)
    assert data.splits.gap == "1D"


def test_perfect_prog_leaves_the_low_resolution_source_out(tmp_path: Path) -> None:
    data = described(tmp_path, YAML).data
    assert data is not None
    assert data.low_resolution is None
    assert data.idle == ("low_resolution",)
    explicit = described(tmp_path, YAML, "--paired_samples=explicit").data
    assert explicit is not None
    assert explicit.idle == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("predictand:", "predictant:", "unknown key 'predictant' (did you mean 'predictand'?)"),
        ("units: degC", "unit: degC", "did you mean 'units'"),
        (
            "transform: log1p",
            "transform: log2",
            "transform: received 'log2' (a text), expected one of none, log1p, sqrt",
        ),
        ("lat: [60, 50]", "lat: 60", "region.lat: received 60 (a number), expected [south, north]"),
        ("${DATA_ROOT}", "${NO_SUCH_NAME}", "${NO_SUCH_NAME} is not set"),
        ("files: c.nc, ", "", "the key files is missing"),
        (
            '["2002", "2002"]',
            '["2002"]',
            "splits.validation: received [2002] (a list), expected [first, last]",
        ),
        (
            "ta@850",
            "ta@high",
            "expected NAME@LEVEL with a level such as 850, 850hPa or 2m, received @high",
        ),
        ("region: {", "region: {{", "not readable as YAML"),
    ],
)
def test_yaml_mistakes_are_named(tmp_path: Path, old: str, new: str, expected: str) -> None:
    with pytest.raises(InputError) as refusal:
        described(tmp_path, YAML.replace(old, new), "--paired_samples=explicit")
    assert expected in str(refusal.value)
    assert "data.yml" in str(refusal.value)
