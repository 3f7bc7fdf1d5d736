"""The command line and the flagfile reader."""

import shlex
from pathlib import Path

import pytest

from app import options
from app.errors import InputError
from app.main import main

# Defaults of the original application, from its documentation.
ORIGINAL_DEFAULTS = {
    "train": True, "test": True, "metrics": True, "debug": False, "attention": False,
    "localcon_layer": False, "save": True, "gpu_memory_growth": True,
    "use_multiprocessing": True, "early_stopping": False, "show_plot": False,
    "save_bestmodel": True, "verbose": True, "inference_array_in_hr": False,
    "trainer": "SupervisedTrainer", "paired_samples": "implicit", "backbone": "resnet",
    "upsampling": "spc", "decoder_upsampling": "rc", "normalization": None,
    "dropout_variant": "vanilla", "activation": "relu", "output_activation": None,
    "rc_interpolation": "bilinear", "interpolation": "inter_area", "loss": "mae",
    "time_window": None, "n_filters": 8, "n_blocks": 6, "n_disc_filters": 32,
    "n_disc_blocks": 4, "scale": 2, "epochs": 100, "patch_size": None, "batch_size": 32,
    "patience": 6, "checkpoints_frequency": 2, "dropout_rate": 0.2, "lr_decay_after": 1e5,
    "min_delta": 0.0, "learning_rate": (1e-3,), "data_module": None,
    "save_path": "./dl4ds_results/", "inference_save_fname": None,
}  # fmt: skip


def write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return f"--flagfile={path}"


@pytest.mark.parametrize("name", ORIGINAL_DEFAULTS)
def test_original_flags_keep_their_defaults(name: str) -> None:
    _, values = options.parse([])
    assert values[name] == ORIGINAL_DEFAULTS[name]


def test_slide_flagfile_with_banners_comments_blank_lines_and_crlf(tmp_path: Path) -> None:
    text = (
        '""" EXPERIMENT """\r\n--data_module=data.py\r\n--train\r\n\r\n# a comment\r\n'
        '""" MODEL """\r\n--n_filters=16\r\n--localcon_layer\r\n--learning_rate=1e-3\r\n'
        "--learning_rate=1e-4\r\n--nometrics\r\n"
    )
    words, values = options.parse([write(tmp_path / "slide.cfg", text)])
    assert words == ()
    assert values["data_module"] == "data.py"
    assert values["n_filters"] == 16
    assert values["localcon_layer"] is True
    assert values["metrics"] is False
    assert values["learning_rate"] == (1e-3, 1e-4)


def test_heading_over_several_lines_is_skipped(tmp_path: Path) -> None:
    text = '"""What this trains.\n\n    python -m app --flagfile=x.cfg\n"""\n--scale=4\n'
    _, values = options.parse([write(tmp_path / "x.cfg", text)])
    assert values["scale"] == 4


def test_command_line_beats_flagfile_in_any_order(tmp_path: Path) -> None:
    flagfile = write(tmp_path / "x.cfg", "--scale=4\n--learning_rate=1e-2\n")
    for argv in ([flagfile, "--scale=8"], ["--scale=8", flagfile], ["--scale", "8", flagfile]):
        assert options.parse(argv)[1]["scale"] == 8


def test_later_source_replaces_a_list(tmp_path: Path) -> None:
    flagfile = write(tmp_path / "x.cfg", "--learning_rate=1e-2\n")
    _, values = options.parse(["--learning_rate=1e-4", flagfile])
    assert values["learning_rate"] == (1e-4,)


def test_nested_flagfile_is_overridden_by_its_parent(tmp_path: Path) -> None:
    write(tmp_path / "base.cfg", "--scale=4\n--epochs=7\n")
    _, values = options.parse([write(tmp_path / "top.cfg", "--scale=6\n--flagfile=base.cfg\n")])
    assert (values["scale"], values["epochs"]) == (6, 7)


def test_stages_and_none(tmp_path: Path) -> None:
    words, values = options.parse(["train", "--normalization=None", "metrics"])
    assert words == ("train", "metrics")
    assert values["normalization"] is None


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--epohcs=3"], "unknown flag 'epohcs' (did you mean 'epochs'?)"),
        (["--noplugins"], "unknown flag 'noplugins' (did you mean 'plugins'?)"),
        (["--backbone=resnt"], "--backbone=resnt: expected one of convnet, resnet"),
        (["--epochs=many"], "--epochs=many: expected a whole number"),
        (["--learning_rate=fast"], "expected numbers with commas"),
        (["--train=perhaps"], "expected true or false"),
        (["--epochs"], "--epochs needs a value"),
        (["--time_features=both"], "expected none, or some of hour, day_of_year, season with"),
        (["--time_features="], "expected none, or some of hour"),
        (["--flagfile=nowhere.cfg"], "cannot read"),
    ],
)
def test_refusals_name_flag_value_and_expectation(argv: list[str], expected: str) -> None:
    with pytest.raises(InputError) as refusal:
        options.parse(argv)
    assert expected in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--scale=4\nscale 4\n", "line 2: expected --flag=value"),
        ('""" MODEL\n--scale=4\n', "never closed"),
        ("--flagfile=self.cfg\n", "includes itself"),
        ("--scale=4\n\n--n filters=8\n", "line 3: unknown flag"),
    ],
)
def test_flagfile_refusals_name_the_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(InputError) as refusal:
        options.parse([write(tmp_path / "self.cfg", text)])
    assert expected in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "names"),
    [("none", ()), ("season, hour", ("hour", "season")), ("hour,hour", ("hour",))],
)
def test_names_come_in_their_order(text: str, names: tuple[str, ...], tmp_path: Path) -> None:
    _, values = options.parse([f"--time_features={text}"])
    assert values["time_features"] == names
    _, again = options.parse([write(tmp_path / "again.cfg", options.as_flagfile(values))])
    assert again == values


def test_written_flagfile_reads_back_the_same(tmp_path: Path) -> None:
    _, values = options.parse(
        ["--scale=5", "--learning_rate=1e-3,2e-5", "--attention", "--ema_decay=0.9"]
    )
    _, again = options.parse([write(tmp_path / "again.cfg", options.as_flagfile(values))])
    assert again == values


def test_help_of_all_lists_every_flag_once() -> None:
    text = options.help_text("usage", "all")
    for name in options.FLAGS_BY_NAME:
        assert text.count(f"\n  --{name} ") == 1


def test_help_names_about_thirty_flags_and_says_where_the_others_are() -> None:
    text = options.help_text("usage")
    named = [line.split()[0][2:] for line in text.split("\n") if line.startswith("  --")]
    assert 25 <= len(named) <= 35
    assert {"save_path", "data", "scale", "epochs", "backbone", "model"} <= set(named)
    assert "--help=all" in text


def test_help_of_a_section_lists_its_flags_alone() -> None:
    text = options.help_text("usage", "sweep")
    named = {line.split()[0][2:] for line in text.split("\n") if line.startswith("  --")}
    assert named == {flag.name for flag in options.SECTIONS["SWEEP"]}
    with pytest.raises(InputError, match=r"--help=swep: .* \(did you mean 'sweep'\?\)"):
        options.help_text("usage", "swep")


@pytest.mark.parametrize(
    ("argv", "code", "begin"),
    [
        (["--version"], 0, "finescale 0."),
        (["train", "--help"], 0, "finescale: deep-learning"),
        (["--help=Sweep"], 0, "finescale: deep-learning"),
        (["-helpfull"], 0, "finescale: deep-learning"),
        (["--help=nothing"], 2, ""),
    ],
)
def test_what_is_told_instead_of_running(
    argv: list[str], code: int, begin: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == code
    assert capsys.readouterr().out.startswith(begin)


def test_a_command_line_without_anything_is_answered_with_examples_that_parse(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 0
    text = capsys.readouterr().out.replace("\\\n", "")
    examples = [line.split("-m app", 1)[1] for line in text.split("\n") if line[:3] == "  p"]
    assert len(examples) == 3
    for example in examples:
        words, values = options.parse(shlex.split(example))
        options.build(("check",) if words[0] == "init" else words, values)


def test_files_that_a_shell_writes_out_join_the_flag_before_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files and Zarr stores that exist do; stages, folders and what is not there do not."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.nc", "b,1.nc", "train", "store.zarr/.zgroup", "runs/y_hat.nc"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    words, values = options.parse(
        ["check", "--data", "a.nc", "b,1.nc", "store.zarr", "train", "--variable", "t", "runs"]
    )
    assert words == ("check", "train", "runs")
    assert values["data"] == "a.nc,b,1.nc,store.zarr"
    words, values = options.parse(
        ["--input=a.nc", "b,1.nc", "no.nc", "test", "--variable=t", "a.nc"]
    )
    assert (words, values["input"]) == (("no.nc", "test", "a.nc"), "a.nc,b,1.nc")
    assert options.without(["--data", "a.nc", "a.nc", "--scale=4"], {"scale"}) == (
        "--data=a.nc,a.nc",
    )
    files = options.build(*options.parse(["check", "--variable=t", "--data", "a.nc", "b,1.nc"]))
    assert files.data is not None
    assert files.data.predictand is not None
    assert files.data.predictand.files == (str(tmp_path / "a.nc"), str(tmp_path / "b,1.nc"))
    with pytest.raises(InputError, match=r"a\.nc: a file where a stage is expected; .* quotes"):
        options.build(*options.parse(["check", "--variable=t", "a.nc"]))


def test_a_command_line_without_some_flags_and_the_names_in_it() -> None:
    argv = ["sweep", "--flagfile", "x.cfg", "--epochs", "3", "-nosubmit", "--normalization=bn"]
    assert options.without(argv, {"submit", "epochs"}) == ("--flagfile=x.cfg", "--normalization=bn")
    assert options.given_names(argv) == {"flagfile", "epochs", "submit", "normalization"}


def test_data_on_the_command_line_take_the_place_of_a_flagfiles(tmp_path: Path) -> None:
    """And with them the flags that go with the flagfile's way of naming data alone."""
    configured = write(tmp_path / "a.cfg", "--data_config=a.yml\n--scale=4\n")
    values = options.parse([configured, "--data=mine.nc", "--variable=t2m"])[1]
    assert (values["data_config"], values["data"], values["scale"]) == (None, "mine.nc", 4)
    plain = write(tmp_path / "b.cfg", "--data=a.nc\n--variable=t\n--static=s.nc:z\n")
    values = options.parse([plain, "--data=b.nc"])[1]
    assert [values[n] for n in ("data", "variable", "static")] == ["b.nc", "t", "s.nc:z"]
    values = options.parse([plain, "--data_config=mine.yml"])[1]
    assert [values[n] for n in ("data", "variable", "static")] == [None, None, None]
    assert values["data_config"] == "mine.yml"
    nested = write(tmp_path / "c.cfg", "--data=a.nc\n--flagfile=a.cfg\n")
    assert options.parse([nested])[1]["data_config"] is None
    both = options.parse(["--data=a.nc", "--data_config=a.yml"])[1]
    assert (both["data"], both["data_config"]) == ("a.nc", "a.yml")  # refused when it is built


@pytest.mark.parametrize("name", ["~no_such_user/x.cfg", "a\0b.cfg", ".", "round.cfg"])
def test_flagfiles_that_are_none(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "round.cfg").symlink_to("round.cfg")
    with pytest.raises(InputError, match="--flagfile="):
        options.parse([f"--flagfile={name}"])


@pytest.mark.parametrize(
    ("texts", "value"),
    [(["None", "None"], None), (["1", "None"], None), (["None", "1"], (1,)), (["1", "2"], (1, 2))],
)
def test_lists_that_are_unset_in_between(texts: list[str], value: object) -> None:
    _, values = options.parse([f"--disc_learning_rate={text}" for text in texts])
    assert values["disc_learning_rate"] == value


@pytest.mark.parametrize("odd", ["\n", "\r", "\0", "\udce9"])
def test_values_that_no_flagfile_could_hold_are_refused(odd: str) -> None:
    with pytest.raises(InputError, match="--data: expected one line of UTF-8 text"):
        options.parse([f"--data=a{odd}b.nc"])


@pytest.mark.parametrize("odd", ["\u2028", "\x0b", "\x85", "=", "#", '"""', "  "])
def test_odd_values_come_back_from_a_flagfile(odd: str, tmp_path: Path) -> None:
    _, values = options.parse([f"--data=a{odd}b.nc"])
    assert values["data"] == f"a{odd}b.nc"
    _, again = options.parse([write(tmp_path / "again.cfg", options.as_flagfile(values))])
    assert again == values


RENAMED = {
    "ema": ("ema_decay", "0.9"),
    "is_attention": ("attention_levels", "F,T"),
    "srcnn_rates": ("srcnn_lr_multipliers", "1,0.5"),
    "smooth_space": ("flow_tv_weight", "0.5"),
    "pretrain_span": ("max_triplet_span", "3"),
    "noise_correlation": ("noise_lag1_correlation", "0.5"),
}


@pytest.mark.parametrize("old", RENAMED)
def test_former_names_of_flags_read_and_the_new_one_is_written(old: str, tmp_path: Path) -> None:
    new, text = RENAMED[old]
    _, values = options.parse([f"--{new}={text}"])
    flagfile = write(tmp_path / "a.cfg", f"--{old}={text}\n")
    for argv in ([f"--{old}={text}"], [f"--{old}", text], [flagfile]):
        assert options.parse(argv)[1] == values
    assert old not in values
    assert f"--{new}=" in options.as_flagfile(values)
    assert options.given_names([f"--{old}={text}"]) == {new}
    assert options.without([f"--{old}={text}"], {new}) == ()


def test_both_names_of_a_list_make_one_list() -> None:
    _, values = options.parse(["--srcnn_rates=1", "--srcnn_lr_multipliers=2"])
    assert values["srcnn_lr_multipliers"] == (1.0, 2.0)


def test_refusals_of_a_former_name_give_the_present_one() -> None:
    with pytest.raises(InputError, match=r"--ema_decay=1\.5: expected 0 <= ema_decay < 1"):
        options.parse(["--ema=1.5"])
