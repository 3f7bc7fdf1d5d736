"""Downscaling in time, from files to scores: nothing withheld is seen, nothing known is changed."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from app import options
from app.distributed import Communicator
from app.errors import InputError, Interrupted
from app.ranks import Ranks
from app.session import Session
from tests.system.conftest import Run
from tests.system.test_ranks import steps as ranks_after_steps
from tests.system.test_resume import kill_during_training, weights

if TYPE_CHECKING:
    from app.inference.known_frames import KnownRecord
    from app.models.temporal import TemporalModel

Y, X, HOURS = 12, 16, 241
NETWORK = [
    *("--trainer=TemDeepTrainer", "--input_step=3h", "--target_step=1h", "--threads=1"),
    *("--flow_filters=4,6", "--n_filters=4", "--n_blocks=1", "--batch_size=4"),
]


def waves(method: str = "point") -> xr.Dataset:
    """Waves that move over a slope, hourly; of the method sum they are amounts of 0 and more."""
    rng = np.random.default_rng(0)
    lat, lon = np.linspace(50, 53, Y), np.linspace(0, 4, X)
    phase = np.arange(HOURS)[:, None, None] / 3 - 2 * lon[None] - lat[:, None]
    values = 5 * np.sin(phase) + np.cos(phase / 3) + rng.normal(0, 0.1, (HOURS, Y, X))
    values = np.maximum(values, 0) if method == "sum" else 280 + values
    height = np.broadcast_to(100 * lat[:, None], (Y, X))
    attributes = {"units": "mm" if method == "sum" else "K", "cell_methods": f"time: {method}"}
    return xr.Dataset(
        {
            "x": (("time", "lat", "lon"), values.astype("float32"), attributes),
            "orography": (("lat", "lon"), height.astype("float32"), {"units": "m"}),
        },
        coords={
            "time": np.datetime64("2020-01-01T00") + np.arange(HOURS).astype("timedelta64[h]"),
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
    )


def described(folder: Path, data: xr.Dataset, name: str = "waves") -> list[str]:
    """Flags of a data set written to a folder of its own."""
    path = folder / f"{name}.nc"
    data.to_netcdf(path)
    return [
        f"--data={path}",
        "--variable=x",
        f"--static={path}:orography",
        f"--cache_dir={folder / 'cache'}",
        *NETWORK,
    ]


@pytest.fixture
def wave_flags(tmp_path: Path) -> list[str]:
    return described(tmp_path, waves())


@pytest.fixture
def eager() -> Iterator[None]:
    """Steps run as they are written: of a few, building graphs would take most of the time."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def trained(argv: list[str], steps: int = 2) -> tuple[Session, list[np.ndarray]]:
    """A session, and the model's weights after some steps of coherence, triples' loss included."""
    from app.data.streaming.sampler import Sampler

    experiment = options.build(*options.parse(["train", *argv]))
    session = Session(experiment, Ranks())
    _ = session.communicator  # TensorFlow starts as the run wants it
    parts = experiment.method.build(session, session.shards)
    model, samples, trainer = parts.model, parts.samples, parts.trainer
    training = experiment.training
    coherent = training.pretrain_epochs / training.epochs
    sampler = Sampler(
        samples.size("train"), epoch=training.pretrain_epochs, batch_size=4, progress=coherent
    )
    with samples.batches("train", sampler) as stream:
        for _, batch in zip(range(steps), stream, strict=False):
            trainer.train_step(batch)
    sampler = Sampler(samples.size("validation"), batch_size=4, shuffle=False)
    with samples.batches("validation", sampler) as stream:
        validated = trainer.validate(stream)
    return session, [np.asarray(v) for v in model.weights] + [np.float64(validated)]


def filled_in(folder: Path, *argv: str) -> xr.Dataset:
    """What the stage test writes to a folder, in this process."""
    from app.stages import test

    folder.mkdir(exist_ok=True)
    test.run(
        Session(options.build(*options.parse(["test", f"--save_path={folder}", *argv])), Ranks())
    )
    with xr.open_dataset(folder / "y_hat.nc") as written:
        return written.load()


@pytest.mark.usefixtures("eager")
def test_terms_of_the_loss_have_the_weights_of_their_flags(wave_flags: list[str]) -> None:
    """Losses of the same first step, of the same network and batch."""
    from app.data.streaming.sampler import Sampler

    found = {}
    for name, flags in {
        "once": ["--coherence_weight=1", "--smooth_time=1", "--flow_tv_weight=0"],
        "more": ["--coherence_weight=3", "--smooth_time=5", "--flow_tv_weight=0"],
    }.items():
        given = ["train", *wave_flags, *flags, "--pretrain_epochs=0", "--coherence_epochs=1"]
        session = Session(options.build(*options.parse(given)), Ranks())
        _ = session.communicator  # seeds the random numbers
        parts = session.experiment.method.build(session, session.shards)
        sampler = Sampler(parts.samples.size("train"), batch_size=4)
        with parts.samples.batches("train", sampler) as stream:
            parts.trainer.train_step(next(stream))
        found[name] = parts.trainer.epoch_losses()
    once, more = found["once"], found["more"]
    assert more["triple_loss"] == pytest.approx(once["triple_loss"], rel=1e-6)
    assert more["coherence_loss"] == pytest.approx(3 * once["coherence_loss"], rel=1e-5)
    assert more["smooth_loss"] == pytest.approx(5 * once["smooth_loss"], rel=1e-5)
    assert once["coherence_loss"] > 0
    assert once["smooth_loss"] > 0


@pytest.mark.usefixtures("eager")
def test_withheld_frames_are_never_seen(tmp_path: Path) -> None:
    """Poisoned with NaN they change no weight, no scaling, no split and no baseline."""
    from app.baselines.time import METHODS, baseline
    from app.data.streaming.triples import read_frames
    from app.data.time_axis import time_axis

    clean = waves()
    poisoned = clean.copy(deep=True)
    withheld = np.arange(HOURS) % 3 != 0
    poisoned["x"].values[withheld] = np.nan
    found = []
    for name, data in (("clean", clean), ("poisoned", poisoned)):
        (tmp_path / name).mkdir()
        argv = described(tmp_path / name, data)
        asked = ["--context_frames=1", "--max_triplet_span=3", "--sun_response=1,8"]
        session, learnt = trained([*argv, *asked])
        shards, steps = session.shards, session.description.time_steps
        assert steps is not None
        known = shards.stamps("test")
        axis = time_axis(known, steps, False)
        filled = [
            baseline(name, axis, lambda rows, s=shards: read_frames(s, "test", rows), known)
            for name in METHODS
        ]
        scaling = [shards.scaling["hr"].offset, shards.scaling["hr"].scale]
        splits = [shards.stamps(split).seconds for split in ("train", "validation", "test")]
        found.append([*learnt, *filled, *scaling, *splits])
        assert all(np.isfinite(values).all() for values in learnt)
    assert len(found[0]) > 20
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.long
@pytest.mark.usefixtures("eager")
def test_whole_path_and_another_record(run: Run, wave_flags: list[str], tmp_path: Path) -> None:
    one_stage = ["--coherence_epochs=0"]  # the other's graph takes long to build
    done = run("train", "test", "metrics", *wave_flags, "--debug", *one_stage, "--save_path=out")
    assert "not to be compared with rates published under the same" in done.stdout
    truth = waves()["x"]
    with xr.open_dataset(tmp_path / "out" / "y_hat.nc") as predicted:
        times = predicted["time"].values
        np.testing.assert_array_equal(np.diff(times), np.timedelta64(1, "h"))
        hours = (times - truth["time"].values[0]) // np.timedelta64(1, "h")
        known = hours % 3 == 0
        np.testing.assert_array_equal(predicted["x"].values[known], truth.values[hours[known]])
        assert np.isfinite(predicted["x"].values).all()
    for name in ("summary.csv", "by_hour.csv", "animation.gif", "restoration.png"):
        assert (tmp_path / "out" / "metrics" / name).stat().st_size
    # Another record that has the known frames alone: no truth, other times, rows southward.
    other = waves().isel(time=slice(0, 60, 3), lat=slice(None, None, -1))
    other.to_netcdf(tmp_path / "other.nc")
    given = [f"--model={tmp_path / 'out'}", f"--input={tmp_path / 'other.nc'}", "--threads=1"]
    filled = filled_in(tmp_path / "new", *given, "--target_step=30min")
    assert filled.sizes["time"] == 19 * 6 + 1
    known = other["x"].sel(lat=filled["lat"])
    np.testing.assert_array_equal(filled["x"].values[::6], known.values)
    # Of times that are asked for, those that lie on the step above are the same fields.
    times = "--target_times=2020-01-01T06,2020-01-01T04:30,2020-01-01T04:10"
    asked = filled_in(tmp_path / "asked", *given, times)
    minutes = asked["time"].dt.hour * 60 + asked["time"].dt.minute
    assert minutes.values.tolist() == [250, 270, 360]
    np.testing.assert_allclose(asked["x"][1], filled["x"][9], atol=1e-3)
    np.testing.assert_array_equal(asked["x"][2], known[2])
    assert np.abs(asked["x"][0] - asked["x"][1]).mean() > 0.01
    # The same file again, of another time.
    asked = filled_in(tmp_path / "asked", *given, "--target_times=2020-01-01T04:30")
    np.testing.assert_allclose(asked["x"][0], filled["x"][9], atol=1e-3)


def untrained(argv: list[str]) -> "tuple[Session, TemporalModel, KnownRecord]":
    """A model of the data that these flags describe, and their test period."""
    from app.inference.known_frames import of_split
    from app.methods.temdeep.model import build_temporal_model

    session = Session(options.build(*options.parse(["test", *argv])), Ranks())
    session.communicator.barrier()
    model = build_temporal_model(session.experiment, session.shards)
    steps = session.description.time_steps
    assert steps is not None
    return session, model, of_split(session.shards, "test", steps)


def test_filling_in_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    from app.inference.known_frames import FilledIn
    from app.inference.predict import write_record
    from app.inference.writer import Layout

    _, model, record = untrained(described(tmp_path, waves()))
    asked = [0]

    def interrupt() -> None:
        asked[0] += 1
        if asked[0] == 3:
            raise Interrupted("SIGTERM")

    def fill(name: str, check: Callable[[], None] = lambda: None, batch_size: int = 4) -> None:
        known = {"data_fingerprint": "known"}
        everyone = Communicator(Ranks())
        layout = Layout(record.grid, record.variables, known)
        filled = FilledIn(model, record, batch_size)
        write_record(filled, layout, tmp_path / name, communicator=everyone, check=check)

    fill("whole.nc")
    with pytest.raises(Interrupted):
        fill("broken.nc", interrupt)
    assert asked == [3]
    assert not (tmp_path / "broken.nc").exists()
    note = json.loads((tmp_path / ".broken.nc.unfinished.json").read_text())
    assert 9 <= note["written"] <= 12  # whole intervals between known frames
    fill("broken.nc", interrupt, batch_size=7)
    assert asked[0] - 3 <= -(-(len(record.axis) - note["written"]) // 6)
    with (
        xr.open_dataset(tmp_path / "whole.nc") as one,
        xr.open_dataset(tmp_path / "broken.nc") as other,
    ):
        xr.testing.assert_allclose(one, other, rtol=1e-5)


def test_parts_of_sums_add_up_to_them(tmp_path: Path) -> None:
    """Totals of 3 h come back to 1e-6 of themselves, and dry ones stay dry."""
    from app.inference.known_frames import FilledIn

    data = waves("sum")
    data["x"].values[-30:, 0] = 0.0
    session, model, record = untrained(described(tmp_path, data))
    fields = FilledIn(model, record, 4).fields(np.arange(len(record.axis)))
    totals = session.shards.read("hr", "test", np.arange(session.shards.size("test")))
    hours = record.axis.stamps.seconds // 3600 - waves()["time"].values[0].astype(
        "datetime64[h]"
    ).astype(int)
    truth = data["x"].values[hours]
    np.testing.assert_allclose(truth.reshape(-1, 3, Y, X).sum(axis=1), totals[..., 0], rtol=1e-5)
    parts = fields.reshape(-1, 3, Y, X)
    np.testing.assert_allclose(parts.sum(axis=1), totals[..., 0], rtol=1e-6, atol=0)
    assert (parts >= 0).all()
    assert (totals == 0).any()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--input_step=2h", "--target_step=2h"], "expected a part of the input step"),
        (["--target_step=2h"], "--target_step=2h with --input_step=3h"),
        (["--scale=4"], "trains in time alone"),
        (["--test_pairs=explicit"], "--test_pairs=explicit with --trainer=TemDeepTrainer: known"),
        (["--scale=4", "--trainer=SupervisedTrainer"], "it trains in space alone"),
        (["--patch_size=4"], "--patch_size=4 with --trainer=TemDeepTrainer"),
        (["--context_frames=2"], "--context_frames=2: expected 0 <= context_frames <= 1"),
        (["--flow_filters=0,4"], "--flow_filters=0,4: expected 1 <= flow_filters"),
        (["--sun_response=1,-8"], "--sun_response=1,-8: expected 0 <= sun_response"),
        (["metrics", "--target_times=2020-01-01T01"], "scores are of every --target_step"),
        (["--composite_quantile=1"], "expected 0 <= composite_quantile < 1"),
        (["--pretrain_epochs=0", "--coherence_epochs=0"], "nothing to train"),
    ],
)
def test_impossible_requests_are_refused(
    extra: list[str], message: str, wave_flags: list[str]
) -> None:
    with pytest.raises(InputError) as refused:
        options.build(*options.parse(["train", *wave_flags, *extra]))
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_irregular_record_is_refused_in_one_line(run: Run, real_data: Path) -> None:
    path = real_data / "era5_wind_bengal_202505.nc"
    argv = [f"--data={path}", "--variable=u10", "--cache_dir=cache", *NETWORK]
    done = run("check", *argv, expect=2)
    (line,) = [one for one in done.stderr.splitlines() if "irregular" in one]
    assert "era5_wind_bengal_202505.nc" in line
    assert "--gap_policy" in line


@pytest.mark.slow
def test_space_then_time_in_one_test(run: Run, wave_flags: list[str], tmp_path: Path) -> None:
    run("train", *wave_flags, "--debug", "--coherence_epochs=0", "--noflow", "--save_path=time")
    data = [flag for flag in wave_flags if flag.startswith(("--data", "--var", "--cache"))]
    space = [*data, "--scale=4", "--n_filters=4", "--n_blocks=1", "--batch_size=4", "--threads=1"]
    run("train", *space, "--debug", "--save_path=space")
    chain = ["--model=space", "--temporal_model=time", "--target_step=1h", "--save_path=both"]
    run("test", *space, *chain)
    with (
        xr.open_dataset(tmp_path / "both" / "y_hat.nc") as both,
        xr.open_dataset(tmp_path / "both" / "y_hat_space.nc") as refined,
    ):
        np.testing.assert_array_equal(np.diff(refined["time"]), np.timedelta64(3, "h"))
        np.testing.assert_array_equal(np.diff(both["time"]), np.timedelta64(1, "h"))
        np.testing.assert_array_equal(both["x"].values[::3], refined["x"].values)
        assert both["x"].shape[1:] == (Y, X)


@pytest.mark.slow
@pytest.mark.parallel
def test_two_ranks_equal_one_with_the_doubled_batch(wave_flags: list[str], tmp_path: Path) -> None:
    common = [*wave_flags, "--nolr_scaling", "--pretrain_epochs=0", "--coherence_epochs=2"]
    common += ["--composite_subset=all", "--context_frames=1", "--max_triplet_span=3", "--noflow"]
    first, second = ranks_after_steps(tmp_path / "two", 2, [*common, "--batch_size=3"], 4)
    (one,) = ranks_after_steps(tmp_path / "one", 1, [*common, "--batch_size=6"], 4)
    for name in (name for name in one if name.startswith("w")):
        np.testing.assert_array_equal(first[name], second[name])
        np.testing.assert_allclose(first[name], one[name], atol=1e-5)
    np.testing.assert_allclose(first["losses"], one["losses"], rtol=1e-4)
    assert (one["losses"][0] != one["losses"][-1]).all()


@pytest.mark.slow
def test_killed_run_ends_like_an_uninterrupted_one(
    run: Run, wave_flags: list[str], tmp_path: Path
) -> None:
    argv = [*wave_flags, "--pretrain_epochs=1", "--coherence_epochs=1", "--checkpoint_every=3"]
    argv += ["--noflow"]  # which has no state of its own
    run("train", *argv, f"--save_path={tmp_path / 'whole'}")
    kill_during_training(["train", *argv, f"--save_path={tmp_path / 'killed'}"], tmp_path, 1)
    assert not (tmp_path / "killed" / "model.keras").exists()
    run("train", *argv, f"--save_path={tmp_path / 'killed'}")
    ours, theirs = (weights(tmp_path / name / "model.keras") for name in ("killed", "whole"))
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, other)
