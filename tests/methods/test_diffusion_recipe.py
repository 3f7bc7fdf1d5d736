"""--recipe=ensemble: what is chosen for which data, what is refused, what a run keeps."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from app import options
from app.errors import InputError
from app.methods.method import method_of
from app.methods.recipe_choice import as_kept, follow
from app.options import Values
from app.ranks import Ranks
from app.running.run_folder import RunFolder
from app.session import Session

RAIN = {"units": "mm", "long_name": "Total precipitation"}


def write(
    path: Path,
    n: int = 60,
    *,
    side: int = 24,
    step: str = "6h",
    calendar: str = "standard",
    names: tuple[str, ...] = ("v",),
    **attributes: str,
) -> None:
    """Noise on (n, side, side) about 280, or amounts of rain, without a third of the cells."""
    rng = np.random.default_rng(0)
    values = 280 + rng.normal(size=(n, side, side))
    if "precipitation" in attributes.get("long_name", ""):
        values = np.maximum(values - 280, 0)
    values[:, :, : side // 3] = np.nan
    times = xr.date_range("2001-01-01", periods=n, freq=step, calendar=calendar, use_cftime=True)
    coords = {
        "time": times,
        "lat": 40 + 0.25 * np.arange(side),
        "lon": 5 + 0.25 * np.arange(side),
    }
    field = (("time", "lat", "lon"), values.astype("float32"), {"units": "K", **attributes})
    xr.Dataset(dict.fromkeys(names, field), coords).to_netcdf(path)


def flags_of(folder: Path, *argv: str) -> tuple[tuple[str, ...], Values, frozenset[str]]:
    """Stages, flags and names of those given, of a command line for the file in a folder."""
    data = f"--data={folder / 'data.nc'}"
    command = [*argv, data, f"--cache_dir={folder / 'cache'}", f"--save_path={folder / 'run'}"]
    if not any(a.startswith("--variable") for a in argv):
        command.append("--variable=v")
    given = options.assigned_names(command)
    words, values = options.parse(command)
    return words, as_kept(values, given), given


def followed(folder: Path, *argv: str) -> Session:
    """The session of a training whose flags follow from the file in a folder."""
    session = Session(options.build(*flags_of(folder, "train", "--scale=4", *argv)), Ranks())
    follow(session)
    experiment = session.experiment
    method_of(experiment).check_data(experiment, session.shards)  # nothing that train refuses
    return session


def chosen(folder: Path, *argv: str) -> Values:
    return followed(folder, "--recipe=ensemble", *argv).experiment.flags


def test_temperature(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "data.nc")
    with caplog.at_level("INFO", logger="absl"):
        kept = chosen(tmp_path)
    assert kept["trainer"] == "DiffusionTrainer"
    assert (kept["first_guess"], kept["constraint"]) == ("regression", "additive")
    assert (kept["regression_folds"], kept["regression_draws"]) == (7, True)
    assert (kept["target_scaling"], kept["transform"]) == ("pixel", None)
    assert kept["time_features"] == ("hour",)
    assert (kept["members"], kept["sampler"]) == (16, "dpmpp_2m")
    assert (kept["channel_multipliers"], kept["attention_levels"]) == ("1,2,2", "F,F,F")
    assert "--trainer=DiffusionTrainer: " in caplog.text
    assert "--members=16 " in caplog.text


@pytest.mark.parametrize(
    ("train", "first_guess", "channels"), [(449, "regression", 16), (450, "linear", 32)]
)
def test_many_samples_carry_a_wide_regression(
    train: int, first_guess: str, channels: int, tmp_path: Path
) -> None:
    """15 for each of 25 coarse cells, 4 harmonics and the constant."""
    write(tmp_path / "data.nc", 500, side=16, step="1h")
    kept = chosen(tmp_path, f"--splits={train / 500},0.05,{0.95 - train / 500}")
    assert (kept["first_guess"], kept["n_channels"]) == (first_guess, channels)
    assert (kept["regression_folds"], kept["regression_draws"]) == (7, True)


def test_rain_is_prepared_anew_as_amounts(tmp_path: Path) -> None:
    write(tmp_path / "data.nc", **RAIN)
    session = followed(tmp_path, "--recipe=ensemble")
    flags = session.experiment.flags
    (variable,) = session.shards.predictands
    assert (variable.transform, variable.kind, variable.valid_min) == ("sqrt", "ratio", 0)
    assert (flags["constraint"], flags["target_scaling"]) == ("multiplicative", "domain")
    assert session.shards.scaling["hr"].maximum.max() < 2.3  # the root of a normal number


def test_what_is_said_of_rain_wins(tmp_path: Path) -> None:
    write(tmp_path / "data.nc", **RAIN)
    kept = chosen(tmp_path, "--transform=log1p", "--kind=interval")
    assert (kept["transform"], kept["kind"], kept["constraint"]) == ("log1p", "interval", "none")


def test_several_kinds_of_rain_share_transform_and_constraint(tmp_path: Path) -> None:
    write(tmp_path / "data.nc", names=("rain", "snow"), **RAIN)
    kept = chosen(tmp_path, "--variable=rain,snow")
    assert (kept["transform"], kept["constraint"]) == ("sqrt", "multiplicative")


def test_winds_of_a_year_of_360_days(tmp_path: Path) -> None:
    names = {"names": ("u", "v"), "units": "m s-1", "calendar": "360_day"}
    write(tmp_path / "data.nc", 360, step="1D", side=12, **names)  # type: ignore[arg-type]
    kept = chosen(tmp_path, "--variable=u,v")
    assert (kept["time_features"], kept["constraint"]) == (("day_of_year",), "additive")
    assert kept["channel_multipliers"] == "1,2"  # too small to be halved twice


def test_more_cells_are_read_less_often_by_a_smaller_network(tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    write(tmp_path / "data.nc", 40)
    write(tmp_path / "large" / "data.nc", 40, side=160)
    small = chosen(tmp_path)
    large = chosen(tmp_path / "large", "--scale=8")
    assert large["n_channels"] < small["n_channels"]
    assert 4 <= large["epochs"] <= small["epochs"] == 150


@pytest.mark.parametrize(
    ("flag", "first_guess", "folds", "scaling"),
    [
        ("--patch_size=8", "bicubic", 0, "domain"),
        ("--first_guess=bilinear", "bilinear", 0, "domain"),
        ("--first_guess=linear", "linear", 7, "pixel"),
        ("--regression_folds=0", "regression", 0, "pixel"),
    ],
)
def test_what_the_user_asks_for_is_gone_along_with(
    flag: str, first_guess: str, folds: int, scaling: str, tmp_path: Path
) -> None:
    write(tmp_path / "data.nc", 40)
    kept = chosen(tmp_path, flag)
    assert (kept["first_guess"], kept["regression_folds"]) == (first_guess, folds)
    assert kept["regression_draws"] == (folds > 0)
    assert kept["target_scaling"] == scaling


def test_several_flags_that_exclude_choices(tmp_path: Path) -> None:
    write(tmp_path / "data.nc", 40)
    kept = chosen(tmp_path, "--regression_folds=0", "--learning_rate=1e-3,1e-4")
    assert (kept["members"], kept["lr_schedule"]) == (16, "piecewise")


def test_pairs_without_a_low_resolution_field_of_the_same_name(tmp_path: Path) -> None:
    write(tmp_path / "data.nc", **RAIN)
    with xr.open_dataset(tmp_path / "data.nc") as data:
        data.coarsen(lat=4, lon=4).mean().rename(v="q").to_netcdf(tmp_path / "low.nc")
    (tmp_path / "data.yml").write_text(
        f"predictand: {{files: {tmp_path}/data.nc, variables: {{v: {{}}}}}}\n"
        f"low_resolution: {{files: {tmp_path}/low.nc, variables: {{q: {{}}}}}}\n"
        "splits: {kind: fractions, fractions: [0.7, 0.15, 0.15]}\n"
    )
    argv = [
        *("train", f"--data_config={tmp_path / 'data.yml'}", "--paired_samples=explicit"),
        *("--scale=4", "--recipe=ensemble", f"--cache_dir={tmp_path}"),
    ]
    given = options.assigned_names(argv)
    words, values = options.parse(argv)
    session = Session(options.build(words, as_kept(values, given), given), Ranks())
    follow(session)
    kept = session.experiment.flags
    assert (kept["first_guess"], kept["constraint"]) == ("regression", "none")


def test_too_few_samples_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "data.nc", 15)
    with pytest.raises(InputError, match=r"11 training samples .*expected 14 or more, or a single"):
        chosen(tmp_path)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ("--trainer=SupervisedTrainer",),
            "=DiffusionTrainer or CRPSTrainer, or leave",
        ),
        (
            ("--trainer=TemDeepTrainer",),
            "=DiffusionTrainer or CRPSTrainer, or leave",
        ),
        (("--data_module=own.py",), "recipes look at files; expected --data or --data_config"),
        (("--loss=quantile",), "expected SupervisedTrainer"),
        (("--time_window=4",), "spatial samples only; expected one of SupervisedTrainer"),
        (("--input_step=3h", "--target_step=1h"), "expected --trainer=TemDeepTrainer"),
    ],
)
def test_no_ensemble_by_this_recipe(flags: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        options.build(*flags_of(tmp_path, "train", "--recipe=ensemble", "--scale=4", *flags))


def test_the_trainer_alone_has_no_recipe(tmp_path: Path) -> None:
    """Flagfiles that name it keep the defaults of what they leave out."""
    write(tmp_path / "data.nc", 40)
    session = followed(tmp_path, "--trainer=DiffusionTrainer")
    assert (session.experiment.flags["first_guess"], session.experiment.flags["members"]) == (
        "none",
        1,
    )


def test_later_commands_on_the_run_keep_its_recipe(tmp_path: Path) -> None:
    write(tmp_path / "data.nc", 40, **RAIN)
    kept = chosen(tmp_path)
    RunFolder(tmp_path / "run").begin(kept, overwrite=False)
    for more in (["--recipe=ensemble"], [], ["--trainer=DiffusionTrainer"]):
        _, later, _ = flags_of(tmp_path, "test", "metrics", "--scale=4", *more)
        assert later == kept
    _, other, _ = flags_of(tmp_path, "test", "--scale=4", "--members=3")
    assert other == {**kept, "members": 3}
