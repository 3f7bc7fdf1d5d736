"""Flags that say of the predictand what a YAML says of it, and take its place."""

from pathlib import Path

import pytest

from app import options
from app.data.description import DataDescription, Region, Splits
from app.errors import InputError

DATA = ["--data=a.nc", "--variable=t"]
YAML = """
predictand: {files: a.nc, variables: {t: {units: K, valid_max: 400}}}
low_resolution: {files: b.nc, variables: {t: {units: K}, u: {units: m s-1}}}
region: {lat: [0, 1], lon: [0, 1]}
splits: {gap: 1D}
"""


def described(*argv: str) -> DataDescription:
    data = options.build(*options.parse(["train", *argv])).data
    assert data is not None
    assert data.predictand is not None
    return data


def test_what_flags_say_of_the_predictand() -> None:
    data = described(
        *DATA, "--units=mm", "--kind=ratio", "--valid_min=0", "--valid_max=1e3",
        "--missing=-9999,1e20", "--accumulation=6h", "--aggregate=1D:sum", "--transform=sqrt",
    )  # fmt: skip
    assert data.predictand is not None
    (variable,) = data.predictand.variables
    assert (variable.units, variable.kind, variable.accumulation) == ("mm", "ratio", "6h")
    assert (variable.valid_min, variable.valid_max, variable.transform) == (0, 1000, "sqrt")
    assert variable.missing == (-9999.0, 1e20)
    assert data.predictand.aggregate == "1D:sum"


def test_flags_take_the_place_of_a_yaml_in_the_predictand_and_its_namesake(tmp_path: Path) -> None:
    path = tmp_path / "data.yml"
    path.write_text(YAML, encoding="utf-8")
    data = described(
        f"--data_config={path}", "--paired_samples=explicit", "--units=degC", "--missing=-1",
        "--aggregate=1D:mean", "--region=-35:-45,-10:5.5", "--splits=kind: years, train: 1990, "
        "validation: [1991], test: [1992, 1993], gap: 2D",
    )  # fmt: skip
    assert data.predictand is not None
    assert data.low_resolution is not None
    (fine,) = data.predictand.variables
    coarse, other = data.low_resolution.variables
    assert (fine.units, fine.valid_max, fine.missing) == ("degC", 400, (-1.0,))
    assert (coarse.units, coarse.missing) == ("degC", (-1.0,))
    assert (other.units, other.missing) == ("m s-1", ())
    assert (data.predictand.aggregate, data.low_resolution.aggregate) == ("1D:mean", None)
    assert data.region == Region(lat=(-45.0, -35.0), lon=(-10.0, 5.5))
    assert data.splits == Splits("years", (1990,), (1991,), (1992, 1993), gap="2D")


@pytest.mark.parametrize(
    ("text", "splits"),
    [
        ("kind: fractions, fractions: [0.6, 0.2, 0.2]", Splits(fractions=(0.6, 0.2, 0.2))),
        ("0.6, 0.2,0.2", Splits(fractions=(0.6, 0.2, 0.2))),
        ("{kind: blocks, block: 20D}", Splits("blocks", block="20D")),
        ("gap: 1D", Splits(gap="1D")),
        (
            "train: [2001, 2008-06], validation: [2009, 2009], test: [[2010, 2010], [2012, 2012]]",
            Splits(
                "dates",
                (("2001", "2008-06"),),
                (("2009", "2009"),),
                (("2010", "2010"), ("2012", "2012")),
            ),
        ),
    ],
)
def test_splits_of_a_flag(text: str, splits: Splits) -> None:
    assert described(*DATA, f"--splits={text}").splits == splits


def test_all_times_may_belong_to_one_split() -> None:
    data = options.build(*options.parse(["test", *DATA, "--splits=test"])).data
    assert data is not None
    assert data.splits == Splits(fractions=(0.0, 0.0, 1.0))
    assert data.splits.asked == ("test",)


def test_a_shipped_flagfile_takes_other_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    data = described("--flagfile=flagfiles/era5_uk_t2m.cfg", "--data=/mine.nc", "--variable=tas")
    assert data.predictand is not None
    assert data.predictand.files == ("/mine.nc",)
    assert data.static == ()


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--region=35:45"], "--region=35:45: expected SOUTH:NORTH,WEST:EAST in degrees, such as"),
        (["--region=35,45,-10,5"], "expected SOUTH:NORTH,WEST:EAST"),
        (["--region=35:100,0:5"], "expected SOUTH:NORTH,WEST:EAST"),
        (["--region=35:nan,0:5"], "expected SOUTH:NORTH,WEST:EAST"),
        (["--splits=0.7,0.15"], "--splits=0.7,0.15: fractions: received [0.7, 0.15] (a list)"),
        (["--splits=later"], "--splits=later: unknown key 'later'; known: kind, train"),
        (["--splits=kind: fractions, gap: 24"], "gap: received 24 (a number), expected a duration"),
        (["--splits={train"], "not readable as YAML"),
        (["--accumulation=6"], "--accumulation=6: expected a duration with its unit"),
        (["--aggregate=daily"], "--aggregate=daily: expected DURATION:METHOD"),
        (["--valid_min=nan"], "--valid_min=nan: expected"),
        (["--valid_max=inf"], "--valid_max=inf: expected"),
        (["--valid_min=5", "--valid_max=1"], "valid_min is 5, expected a number below valid_max"),
        (["--missing=nan"], "--missing=nan: expected"),
        (["--kind=amount"], "--kind=amount: expected one of interval, ratio"),
        (["--variable=t,u", "--units=K"], "--units with several variables (t, u): expected one"),
        (["--variable=t,t"], "--variable=t,t: expected each name once"),
        (["--save_path="], "--save_path=: empty, expected a folder; . is the current one"),
        (["--save_path=s3://bucket/run"], "s3://bucket/run: an address, which only data can have"),
        (["--cache_dir= "], "--cache_dir=: empty, expected a folder"),
        (["--save_path=$NO_SUCH_NAME/run"], "$NO_SUCH_NAME is not set in the environment"),
    ],
)
def test_refusals(argv: list[str], expected: str) -> None:
    with pytest.raises(InputError) as refusal:
        described(*DATA, *argv)
    assert expected in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_yaml_at_an_address_is_refused() -> None:
    with pytest.raises(InputError, match=r"--data_config=s3://b/x\.yml: an address"):
        described("--data_config=s3://b/x.yml")


def test_flags_of_another_way_to_name_data_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.yml"
    path.write_text(YAML, encoding="utf-8")
    with pytest.raises(InputError, match="--variable=t with --data_config: it goes with --data"):
        described(f"--data_config={path}", "--variable=t")
    module = tmp_path / "m.py"
    module.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="--units with --data_module: arrays say themselves"):
        described(f"--data_module={module}", "--units=K")


def test_input_files_may_have_commas_in_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a,b.nc").touch()
    inference = options.build(
        *options.parse(["test", "--input=a,b.nc,c.nc", "--model=run", "--input_reference=a,b.nc",
                      "--input_correction=quantile_mapping"])
    ).inference  # fmt: skip
    assert inference.input == ("a,b.nc", "c.nc")
    assert inference.input_reference == ("a,b.nc",)
