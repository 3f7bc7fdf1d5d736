import textwrap

import numpy as np
import pytest

from app.data.description import DataDescription
from app.data.module import load_module
from app.data.shards import Shards
from app.data.shards.prepare import prepare
from app.errors import InputError

BASE = """
import numpy as np
import xarray as xr
from app.data.scalers import StandardScaler

rng = np.random.default_rng(0)
fields = rng.normal(280, 5, (40, 8, 12, 1)).astype("float32")
scaler = StandardScaler()
scaled = scaler.fit(fields[:20]).transform(fields)
data_train, data_val, data_test = scaled[:20], scaled[20:30], scaled[30:]
predictors_train = [scaled[:20, :, :, 0]]
predictors_val = [scaled[20:30, :, :, 0]]
predictors_test = [scaled[30:, :, :, 0]]
static_vars = [fields[0]]
data_train_lr = data_train[:, ::4, ::4]
data_val_lr, data_test_lr = (d[:, ::4, ::4] for d in (data_val, data_test))
inference_data = data_test
inference_predictors = predictors_test
inference_scaler = scaler
gt_holdout_dataset = xr.DataArray(
    fields[30:, ..., 0],
    dims=("time", "lat", "lon"),
    coords={
        "time": np.arange("2001-01-01", "2001-01-11", dtype="datetime64[D]"),
        "lat": 50.0 - np.arange(8),
        "lon": np.arange(12.0),
    },
    name="tas",
    attrs={"units": "K"},
)
gt_mask = None
"""


@pytest.fixture
def module(tmp_path):
    """Writes the base module with lines added at its end; its path."""

    def write(*lines):
        path = tmp_path / "data.py"
        path.write_text("\n".join([textwrap.dedent(BASE), *lines]))
        return path

    return write


def prepared(path, tmp_path, **options):
    options = {"module_inference_in_hr": True, **options}
    description = DataDescription(None, scaling="none", module=str(path), **options)
    folder = prepare(description, scale=4, cache_dir=tmp_path / "cache", needs=("train", "test"))
    return Shards.open(folder)


def test_perfect_prog_shards_hold_the_arrays(module, tmp_path):
    path = module()
    shards, data = prepared(path, tmp_path), load_module(path, inference_in_hr=True)
    assert [shards.size(split) for split in shards.splits] == [20, 10, 10]
    # The truth's latitudes descend: rows come south to north.
    np.testing.assert_array_equal(
        shards.read("hr", "train", [3])[0], data.splits["train"].hr[3, ::-1]
    )
    np.testing.assert_array_equal(shards.read("hr", "test", [2])[0, ..., 0], data.truth[2, ::-1])
    np.testing.assert_array_equal(shards.static[..., 0], data.static[0][::-1, :, 0])
    np.testing.assert_array_equal(shards.times("test"), data.truth.time.values)
    assert shards.variables["hr"][0].name == "tas"
    assert shards.scaling["hr"].scale == 1
    assert not shards.harmonics("train").any()
    assert not shards.time_features("train").any()
    restored = data.undo(shards.read("lr", "test", [0, 1]))
    assert abs(restored.mean() - 280) < 2


def test_fine_predictors_and_inference_data_are_coarsened(module, tmp_path):
    shards = prepared(module(), tmp_path)
    expected = shards.geometry.coarsen(shards.read("hr", "train", [5])[..., 0])
    np.testing.assert_allclose(shards.read("predictors", "train", [5])[..., 0], expected)
    assert shards.read("lr", "test", [0]).shape == (1, 2, 3, 1)


def test_explicit_pairs(module, tmp_path):
    path = module("inference_data = data_test_lr")
    shards = prepared(path, tmp_path, module_explicit=True, module_inference_in_hr=False)
    data = load_module(path, explicit=True)
    low = data.splits["validation"].lr[4, ::-1]
    np.testing.assert_array_equal(shards.read("lr", "validation", [4])[0], low)
    np.testing.assert_array_equal(shards.read("source", "validation", [4])[0], low)
    assert shards.explicit
    assert shards.source_grid.shape == (2, 3)


def test_halo_repeats_the_edge_of_coarse_arrays(module, tmp_path):
    description = DataDescription(
        None, scaling="none", module=str(module("inference_data = data_test_lr")),
        module_explicit=True,
    )  # fmt: skip
    folder = prepare(description, scale=4, halo=1, cache_dir=tmp_path / "cache")
    low = Shards.open(folder).read("lr", "train", [0])[0, ..., 0]
    assert low.shape == (4, 5)
    np.testing.assert_array_equal(low[0, 1:-1], low[1, 1:-1])


def test_mask_hides_the_truth(module, tmp_path):
    shards = prepared(module("gt_mask = np.ones((8, 12)); gt_mask[0] = 0"), tmp_path)
    truth = shards.read("hr", "test", [0])[0, ..., 0]
    assert np.isnan(truth[-1]).all()
    assert np.isfinite(truth[:-1]).all()


def test_without_truth_rows_and_columns_are_numbered(module, tmp_path):
    shards = prepared(module("gt_holdout_dataset = None"), tmp_path)
    assert np.ptp(shards.geometry.fine.cell_areas()) < 1e-6
    np.testing.assert_array_equal(
        shards.read("hr", "test", [0])[0], load_module(shards_module(module)).splits["test"].hr[0]
    )


def shards_module(module):
    return module("gt_holdout_dataset = None; inference_data = None")


def test_training_alone_and_inference_alone(module, tmp_path):
    train = load_module(module("data_test = inference_data = None"), needs=("train",))
    assert list(train.splits) == ["train", "validation"]
    test = load_module(module("data_train = data_val = None"), inference_in_hr=True)
    assert list(test.splits) == ["test"]


def test_content_decides_the_fingerprint(module, tmp_path):
    first = prepared(module(), tmp_path).folder
    assert prepared(module("# only a comment"), tmp_path).folder == first
    assert prepared(module("data_train = data_train + 1"), tmp_path).folder != first


def test_folder_is_importable_while_it_runs(module, tmp_path):
    (tmp_path / "my_helper_module.py").write_text("VALUE = 3")
    load_module(module("import my_helper_module"), inference_in_hr=True)
    with pytest.raises(ModuleNotFoundError):
        __import__("my_helper_module_2")


@pytest.mark.parametrize(
    ("line", "needs", "message"),
    [
        ("1 / 0", (), r"data\.py, line 33: ZeroDivisionError: division by zero"),
        ("raise SystemExit('no data')", (), "SystemExit: no data"),
        ("def broken(:", (), "line 33: SyntaxError"),
        ("data_val = None", ("train",), "data_val is missing, needed to train"),
        ("data_test = inference_data = None", ("test",), "inference_data or data_test is missing"),
        ("data_train = data_test = inference_data = None", (), "expected data_train and data_val"),
        ("data_val = data_val[:, :-1]", (), r"data_val: \(7, 12, 1\), expected \(8, 12, 1\)"),
        ("data_val = np.tile(data_val, 2)", (), r"data_val: \(8, 12, 2\)"),
        ("gt_holdout_dataset = gt_holdout_dataset[1:]", (), "samples of inference_data: 10"),
        ("predictors_val = []", (), "the number of arrays in predictors_val: 0, expected 1"),
        ("predictors_val[0] = predictors_val[0][1:]", (), r"predictors_val\[0\]: 9, expected 10"),
        ("predictors_train = data_train", (), "predictors_train is a ndarray, expected a list"),
        ("static_vars = [fields[0, 1:]]", (), r"static_vars\[0\]: \(7, 12\), expected \(8, 12\)"),
        ("static_vars = [fields]", (), r"static_vars\[0\]: expected numbers of shape \(lat, lon\)"),
        ("data_train = 'tas'", (), "data_train: expected numbers of shape"),
        ("gt_mask = np.ones((3, 3))", (), r"gt_mask: \(3, 3\)"),
        ("gt_holdout_dataset = 3", (), "gt_holdout_dataset is int"),
    ],
)
def test_defects_are_told_in_one_line(module, line, needs, message):
    with pytest.raises(InputError, match=message) as caught:
        load_module(module(line), needs=needs, inference_in_hr=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "options", "message"),
    [
        ("", {"module_inference_in_hr": False}, "2×3 .*; --inference_array_in_hr if it lies"),
        ("data_train_lr = data_train", {"module_explicit": True}, "data_train_lr has 8×12 cells"),
        (
            "inference_data = data_test_lr[:, :1]",
            {"module_inference_in_hr": False},
            r"inference_data has 1×3 cells, expected 2×3 \(fine grid 8×12, scale 4\)",
        ),
        ("inference_data = data_test_lr", {}, "inference_data has 2×3 cells, expected the fine"),
    ],
)
def test_arrays_on_the_wrong_grid(module, tmp_path, line, options, message):
    with pytest.raises(InputError, match=message):
        prepared(module(line), tmp_path, **options)


def test_explicit_without_low_resolution(module):
    with pytest.raises(InputError, match="data_train_lr is missing"):
        load_module(module("data_train_lr = None"), explicit=True)


@pytest.mark.parametrize(("name", "message"), [("no.py", "no such file"), ("a.txt", "not a Pyt")])
def test_no_python_file(tmp_path, name, message):
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(InputError, match=message):
        load_module(tmp_path / name)
