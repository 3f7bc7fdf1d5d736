"""Data of somebody else run no code and fill no memory before they are looked at."""

import json
import os
import pickle
import stat
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.data.reading.containers import engine_of
from app.data.reading.files import open_lazily
from app.errors import InputError
from app.session import Session

GROUP = '{"zarr_format": 2}'


def zarr_zip(path: Path, more: dict[str | zipfile.ZipInfo, str]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(".zgroup", GROUP)
        for name, text in more.items():
            archive.writestr(name, text)
    return str(path)


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("t/0.0")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("../evil", "x", "leads out of it"),
        ("/etc/evil", "x", "leads out of it"),
        ("t/../../evil", "x", "leads out of it"),
        (link(), "/etc/passwd", "the symbolic link 't/0.0'"),
        (".zattrs", " " * (32 << 20), "would unpack from"),
    ],
    ids=["parent", "absolute", "inner-parent", "link", "bomb"],
)
def test_archives_that_lead_elsewhere_or_unpack_to_far_more_are_refused(
    tmp_path: Path, name: Any, text: str, words: str
) -> None:
    path = zarr_zip(tmp_path / "a.zip", {name: text})
    with pytest.raises(InputError, match=words):
        engine_of(path, None)


def test_an_ordinary_archive_of_zarr_is_taken(tmp_path: Path) -> None:
    path = zarr_zip(tmp_path / "a.zip", {"t/.zarray": "{}", "t/0.0": "\0" * (32 << 20)})
    assert engine_of(path, None) == "zarr"


class Evil:
    """Makes a folder where it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize(
    ("dtype", "compressor", "filters"),
    [
        ("<f8", {"id": "pickle", "protocol": 5}, None),
        ("|O", None, [{"id": "pickle", "protocol": 5}]),
        ("|O", None, [{"id": "vlen-utf8"}, {"id": "pickle", "protocol": 5}]),
        ("|O", {"id": "pickle", "protocol": 5}, [{"id": "vlen-utf8"}]),
    ],
)
def test_pickled_values_are_not_opened(
    tmp_path: Path, dtype: str, compressor: Any, filters: Any
) -> None:
    store, made = tmp_path / "a.zarr", tmp_path / "made"
    (store / "t").mkdir(parents=True)
    (store / ".zgroup").write_text(GROUP)
    array = {"zarr_format": 2, "shape": [2], "chunks": [2], "dtype": dtype, "order": "C",
             "fill_value": "" if dtype == "|O" else 0, "compressor": compressor,
             "filters": filters}  # fmt: skip
    (store / "t" / ".zarray").write_text(json.dumps(array))
    (store / "t" / ".zattrs").write_text('{"_ARRAY_DIMENSIONS": ["x"]}')
    (store / "t" / "0").write_bytes(pickle.dumps(Evil(made)))
    with pytest.raises((InputError, ValueError, RuntimeError)):
        np.asarray(open_lazily(str(store), None)["t"].values)
    assert not made.exists()


def test_code_that_a_run_folder_names_is_not_run(tmp_path: Path) -> None:
    code, made = tmp_path / "data.py", tmp_path / "made"
    code.write_text(f"open({str(made)!r}, 'w')\n")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "experiment.cfg").write_text(f"--data_module={code}\n")
    with pytest.raises(InputError, match="which is code; a run folder may be anybody's"):
        Session.of_run(tmp_path / "run", "test")
    assert not made.exists()
