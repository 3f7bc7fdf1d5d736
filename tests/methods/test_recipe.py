"""Recipes: what is chosen for which data, that given flags win, and that a run keeps its own."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from memory_shards import perfect_prog

from app import options
from app.main import main
from app.methods import speed
from app.methods.one_phase import OnePhase
from app.methods.recipe import Recipe
from app.methods.recipe_choice import as_kept
from app.methods.spatial.recipe import choose_constraint
from app.methods.speed import samples_per_second
from app.methods.supervised import recipe as supervised
from app.methods.supervised.recipe import sized
from app.options import kept_values
from app.running.run_folder import RunFolder
from app.session import Session
from app.training.budget import Budget
from tests.system.launching import assert_identical, weights


def write(path: Path, n: int = 60, step: str = "6h", unit: str = "K", **names: str) -> Path:
    """A smooth field over (n, 12, 16)."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:12, :16]
    phase = rng.uniform(0, 6, n)[:, None, None]
    values = 280 + 3 * np.sin(0.5 * y + 0.3 * x + phase) + rng.normal(size=(n, 1, 1))
    if unit != "K":
        values = np.maximum(values - 281, 0)
    times = np.datetime64("2001-01-01", "ns") + np.arange(n) * np.timedelta64(
        int(step[:-1]), step[-1]
    )
    attributes = {"units": unit, **names}
    data = xr.Dataset(
        {"v": (("time", "lat", "lon"), values.astype("float32"), attributes)},
        {"time": times, "lat": 40 + 0.5 * np.arange(12), "lon": 5 + 0.5 * np.arange(16)},
    )
    data.to_netcdf(path)
    return path


def trained(folder: Path, *argv: str, n: int = 60, code: int = 0, **file: str) -> dict[str, object]:
    data = folder / "data.nc"
    if not data.exists():
        write(data, n, **file)
    common = [f"--data={data}", "--variable=v", f"--cache_dir={folder / 'cache'}", "--threads=1"]
    run = folder / "run"
    assert main(["train", *common, f"--save_path={run}", "--notensorboard", *argv]) == code
    return kept_values(RunFolder(run).experiment)


QUICK = ("--epochs=1", "--n_filters=4", "--n_blocks=1")


def test_hourly_temperature(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    kept = trained(tmp_path, *QUICK)
    assert kept["first_guess"] == "regression"
    assert kept["scaled_correction"] is True
    assert kept["constraint"] == "additive"
    assert kept["time_features"] == ("hour",)
    assert (kept["epochs"], kept["n_filters"], kept["n_blocks"]) == (1, 4, 1)  # as given
    told = capfd.readouterr().err
    assert "recipe for these data" in told
    assert "--first_guess=regression" in told
    assert "--epochs" not in told.split("recipe for")[1].split("network:")[0]


def test_a_year_of_days_tells_the_season(tmp_path: Path) -> None:
    kept = trained(tmp_path, *QUICK, "--batch_size=32", n=365, step="1D")
    assert kept["time_features"] == ("day_of_year",)


def test_rain_is_held_by_a_factor(tmp_path: Path) -> None:
    kept = trained(tmp_path, *QUICK, unit="mm day-1", standard_name="precipitation_flux")
    assert kept["constraint"] == "multiplicative"


@pytest.mark.parametrize(
    ("flags", "first_guess", "scaled"),
    [
        (("--patch_size=8",), "bicubic", True),
        (("--first_guess=none",), "none", False),
        (("--first_guess=bilinear",), "bilinear", True),
        (("--loss=quantile",), "regression", False),
        (("--recipe=dl4ds",), "none", False),
        (("--learning_rate=1e-3,1e-4",), "regression", True),  # two rates have no cosine
        (("--output_activation=softplus", "--valid_min=0"), "none", False),
    ],
)
def test_what_the_user_asks_for_is_gone_along_with(
    flags: tuple[str, ...], first_guess: str, scaled: bool, tmp_path: Path
) -> None:
    kept = trained(tmp_path, *QUICK, *flags)
    assert (kept["first_guess"], kept["scaled_correction"]) == (first_guess, scaled)


def test_two_flags_that_do_not_go_with_it_leave_the_rest_of_the_recipe(tmp_path: Path) -> None:
    """Neither the cosine nor the constraint is left; padding and averaging are."""
    flags = ("--learning_rate=1e-3,1e-4", "--loss=quantile", "--output_activation=softplus")
    kept = trained(tmp_path, *QUICK, *flags, "--valid_min=0")
    assert (kept["lr_schedule"], kept["constraint"]) == ("piecewise", "none")
    assert (kept["padding"], kept["ema_decay"]) == ("edge", 0.99)


def test_a_run_goes_on_with_the_recipe_that_it_began_with(tmp_path: Path) -> None:
    before = trained(tmp_path, "--epochs=1")
    assert before["batch_size"] == 4
    after = trained(tmp_path, "--epochs=2")  # nothing else is another flag now
    assert after["epochs"] == 2
    assert {n: v for n, v in after.items() if n != "epochs"} == {
        n: v for n, v in before.items() if n != "epochs"
    }
    trained(tmp_path, "--epochs=2", "--batch_size=8", code=2)


@pytest.mark.parametrize(
    ("rate", "size"), [(10.0, (8, 2)), (1000.0, None), (1e4, (32, 4))], ids=str
)
def test_a_time_budget_sizes_the_network(rate: float, size: tuple[int, int] | None) -> None:
    """Five minutes, in which training sees 300 times `rate` samples; None: the usual network."""
    values = sized(300.0, lambda: rate).values
    assert (tuple(values.values()) or None) == size


def test_a_short_time_is_not_spent_on_timing() -> None:
    def never() -> float:
        raise AssertionError

    assert sized(60.0, never).values == supervised.SMALL


def test_steps_are_timed_before_the_network_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The timed network leaves no trace: the same weights as with its size given."""
    monkeypatch.setattr(Budget, "over", lambda budget, plan: True)  # after one epoch
    monkeypatch.setattr(supervised, "LARGE", {"n_filters": 4, "n_blocks": 1})
    rates = []

    def timed(session: Session, method: OnePhase) -> float:
        rates.append(samples_per_second(session, method))
        return 1e6

    monkeypatch.setattr(speed, "samples_per_second", timed)
    flags = ("--time_budget=10min", "--lr_schedule=piecewise")
    kept = trained(tmp_path, *flags)
    assert rates[0] > 0
    assert (kept["n_filters"], kept["n_blocks"], kept["early_stopping"]) == (4, 1, False)
    assert "trained for" in capfd.readouterr().err
    found = weights(tmp_path / "run")
    trained(tmp_path, *flags, "--n_filters=4", "--n_blocks=1", "--overwrite")
    assert len(rates) == 1  # nothing to be sized
    assert_identical(weights(tmp_path / "run"), found)


def test_the_kept_flags_repeat_the_run(tmp_path: Path) -> None:
    kept = trained(tmp_path, *QUICK)
    flagfile = tmp_path / "run" / "experiment.cfg"
    again = tmp_path / "again"
    assert main(["train", f"--flagfile={flagfile}", f"--save_path={again}"]) == 0
    repeated = kept_values(RunFolder(again).experiment)
    assert repeated == {**kept, "save_path": str(again)}


def test_a_later_choice_wins_and_lines_tell_what_is_left() -> None:
    found = Recipe()
    found.choose("a reason", loss="mse", epochs=3)
    found.choose("a better one", epochs=4)
    assert list(found.lines()) == ["  --loss=mse: a reason", "  --epochs=4: a better one"]
    assert list(found.without(frozenset({"loss"})).lines()) == ["  --epochs=4: a better one"]


def test_names_given_in_flagfiles_count(tmp_path: Path) -> None:
    inner, outer = tmp_path / "inner.cfg", tmp_path / "outer.cfg"
    inner.write_text("--n_blocks=2\n")
    outer.write_text(f"# a comment\n--flagfile={inner.name}\n--nosave\n")
    named = options.assigned_names(["train", f"--flagfile={outer}", "--epochs", "3"])
    assert named == {"flagfile", "n_blocks", "save", "epochs"}


@pytest.mark.parametrize(
    ("argv", "wide"),
    [
        (["--recipe=dl4ds"], True),
        (["--data_module=data.py"], True),
        (["--recipe=dl4ds", "--wide_head=false"], False),
        (["--data=data.nc", "--variable=v"], False),
        (["--data=data.nc", "--variable=v", "--wide_head"], True),
    ],
)
def test_heads_are_wide_where_the_original_is_meant(argv: list[str], wide: bool) -> None:
    values = options.parse(argv)[1]
    assert as_kept(values, options.assigned_names(argv))["wide_head"] is wide


def test_a_run_keeps_the_head_that_it_began_with(tmp_path: Path) -> None:
    """The flags of runs that were begun before there was a choice do not name it."""
    (tmp_path / "experiment.cfg").write_text("--recipe=dl4ds\n--epochs=3\n")
    argv = ["--recipe=dl4ds", f"--save_path={tmp_path}"]
    values = options.parse(argv)[1]
    assert as_kept(values, options.assigned_names(argv))["wide_head"] is False


def test_temperature_in_time_follows_the_sun(tmp_path: Path) -> None:
    flags = ("--trainer=TemDeepTrainer", "--input_step=6h", "--target_step=2h")
    quick = ("--pretrain_epochs=1", "--coherence_epochs=0", "--n_filters=4", "--n_blocks=1")
    kept = trained(tmp_path, *flags, *quick, n=120, step="2h")
    assert kept["context_frames"] == 1
    assert kept["flow"] is False
    assert kept["sun_response"] == (1.0, 8.0)
    (tmp_path / "wind").mkdir()
    other = trained(tmp_path / "wind", *flags, *quick, n=120, step="2h", unit="m s-1")
    assert (other["context_frames"], other["flow"]) == (1, True)
    assert other["sun_response"] is None


@pytest.mark.parametrize(("clouds", "constraint"), [(0.0, "additive"), (0.4, None)])
def test_means_of_what_was_seen_bind_nothing_else(clouds: float, constraint: str | None) -> None:
    """A cell that is never known, and clouds that leave out others now and then."""
    rng = np.random.default_rng(1)
    fields = 280 + rng.normal(size=(40, 8, 8, 1))
    fields[:, 0, 0] = np.nan
    fields[rng.random(fields.shape) < clouds] = np.nan
    found = Recipe()
    choose_constraint(found, perfect_prog(fields))
    assert found.values.get("constraint") == constraint
