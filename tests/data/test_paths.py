"""Good files under odd names are read; what cannot be read is refused for its true reason."""

import os
from pathlib import Path

import numpy as np
import pytest
from shard_helpers import field, write

from app.data.reading.files import identity
from app.data.reading.paths import absolute, expand, separate
from app.data.reading.plain_description import from_files
from app.data.reading.sources import open_source
from app.data.reading.yaml_description import from_yaml
from app.errors import InputError

NAMES = [
    "run[1]/a.nc", "run[1]/b.nc", "run1/a.nc", "t2m,2020.nc", "a=b.nc", "with blank.nc", "[x].nc",
    "deep/x[2]y/c.nc", "plain.nc", "äöü.nc", "$cash.nc", "q?.nc", "st*r.nc", "it's.nc", "#1.nc",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in NAMES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_a_path_that_exists_is_taken_as_it_is(folder: Path, name: str) -> None:
    for pattern in (name, f"{folder}/{name}"):
        assert expand([pattern]) == [pattern]
    assert separate(name) == (name,)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("run[1]/*.nc", ["run[1]/a.nc", "run[1]/b.nc"]),
        ("run[1]/[ab].nc", ["run[1]/a.nc", "run[1]/b.nc"]),
        ("run[12]/*.nc", ["run1/a.nc"]),
        ("*/x[2]y/*.nc", ["deep/x[2]y/c.nc"]),
        ("**/c.nc", ["deep/x[2]y/c.nc"]),
        ("t2m,*.nc", ["t2m,2020.nc"]),
        ("[x]*.nc", ["[x].nc"]),
        ("run?/a.nc", ["run1/a.nc"]),
    ],
)
def test_globs(folder: Path, pattern: str, found: list[str]) -> None:
    assert expand([pattern]) == found
    assert expand([f"{folder}/{pattern}"]) == [f"{folder}/{name}" for name in found]


def test_a_file_that_two_patterns_find_is_read_once(folder: Path) -> None:
    assert expand(["plain.nc", "pla*.nc", "run[1]/a.nc", "run[1]/*"]) == [
        "plain.nc", "run[1]/a.nc", "run[1]/b.nc",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("plain.nc,a=b.nc", ("plain.nc", "a=b.nc")),
        ("plain.nc, t2m,2020.nc ,a=b.nc", ("plain.nc", "t2m,2020.nc", "a=b.nc")),
        ("t2m,20*.nc,run[1]/*.nc", ("t2m,20*.nc", "run[1]/*.nc")),
        ("no,such.nc", ("no", "such.nc")),
        ("", ()),
        ("plain.nc,", ("plain.nc",)),
    ],
)
def test_commas_part_files_unless_they_belong_to_a_name(
    folder: Path, text: str, parts: tuple[str, ...]
) -> None:
    assert separate(text) == parts


def test_dangling_links_and_links_in_a_circle_are_named(folder: Path) -> None:
    os.symlink("/nowhere/b.nc", "run1/b.nc")
    os.symlink("/nowhere", "gone")
    os.symlink("round.nc", "round.nc")
    reason = "b.nc is a link to /nowhere/b.nc, which does not exist"
    for pattern in ("run1/b.nc", "run1/*.nc"):
        with pytest.raises(InputError, match=f"run1/b.nc: {reason}"):
            expand([pattern])
    with pytest.raises(InputError, match="gone is a link to /nowhere, which does not exist"):
        expand(["gone/x.nc"])
    with pytest.raises(InputError, match=r"round\.nc"):
        expand(["round.nc"])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("none.nc", "none.nc: no such file"),
        ("none/*.nc", "no file matches; there is no folder none"),
        ("run1/x*.nc", "run1/x*.nc: no file matches"),
        ("plain.nc/a.nc", "plain.nc is a file, no folder"),
        ("run1", "run1: a folder without the metadata of a Zarr store"),
        ("a\0b.nc", "no such file"),
        ('"plain.nc"', "no such file; the quotes are taken for a part of the name"),
        ("plain.nc, a=b.nc", "no such file; in a YAML several files are a list"),
        ("x" * 5000, "no such file"),
        ("ftp://host/a.nc", "unknown kind of address ftp; expected one of s3, gs"),
        ("https://host/*.nc", "a web server cannot be searched"),
    ],
)
def test_what_leads_nowhere_is_refused(folder: Path, pattern: str, expected: str) -> None:
    with pytest.raises(InputError) as refusal:
        expand([pattern])
    assert expected in str(refusal.value)


@pytest.mark.parametrize(
    ("address", "package"),
    [
        ("s3://bucket/x.nc", "s3fs"),
        ("s3://bucket/*.nc", "s3fs"),
        ("gs://bucket/x.zarr", "gcsfs"),
        ("https://host/x.zarr", "aiohttp"),
    ],
)
def test_addresses_whose_package_is_missing_name_it(
    address: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=rf"{package}.*not installed \(pip install {package}\)"):
        expand([address])


def test_globs_of_a_store_are_searched_by_fsspec(monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    class Store:
        def glob(self, path: str) -> list[str]:
            assert path == "bucket/*.nc"
            return ["bucket/b.nc", "bucket/a.nc"]

    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    monkeypatch.setattr(fsspec.core, "url_to_fs", lambda url: (Store(), url.partition("://")[2]))
    assert expand(["s3://bucket/*.nc", "s3://bucket/x.nc"]) == [
        "s3://bucket/a.nc", "s3://bucket/b.nc", "s3://bucket/x.nc",
    ]  # fmt: skip


@pytest.mark.parametrize("address", ["https://h/a.nc", "s3://b/x.zarr", "synthetic"])
def test_addresses_and_built_in_data_stay_what_they_are(address: str, tmp_path: Path) -> None:
    assert absolute(address, tmp_path) == address
    path = tmp_path / "data.yml"
    path.write_text(f"predictand: {{files: '{address}', variables: x}}", encoding="utf-8")
    source = from_yaml(str(path), "/data").predictand
    assert source is not None
    assert source.files == (address,)
    assert from_files(address, "x", None).predictand == source


def test_homes_and_file_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert absolute("~/x.nc", tmp_path) == "/home/me/x.nc"
    assert absolute("file:///a/x.nc", tmp_path) == "/a/x.nc"
    assert absolute("~no_such_user/x.nc", tmp_path) == f"{tmp_path}/~no_such_user/x.nc"


def test_homes_and_file_addresses_are_found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert expand(["~/plain.nc", f"file://{folder}/a=b.nc"]) == [
        f"{folder}/plain.nc", f"{folder}/a=b.nc",
    ]  # fmt: skip
    assert separate(f"file://{folder}/t2m,2020.nc,~/plain.nc") == (
        f"file://{folder}/t2m,2020.nc", "~/plain.nc",
    )  # fmt: skip


@pytest.mark.parametrize("root", ["s3://bucket/data", "/data/all", "data"])
def test_the_data_root_may_be_an_address(folder: Path, root: str) -> None:
    path = folder / "data.yml"
    path.write_text("predictand: {files: '${DATA_ROOT}/x.nc', variables: x}", encoding="utf-8")
    source = from_yaml(str(path), root).predictand
    assert source is not None
    assert source.files == (f"{root}/x.nc" if root != "data" else f"{folder}/data/x.nc",)


def test_a_dollar_in_the_name_of_a_file_is_one(folder: Path) -> None:
    path = folder / "data.yml"
    path.write_text("predictand: {files: $cash.nc, variables: x}", encoding="utf-8")
    source = from_yaml(str(path), "/data").predictand
    assert source is not None
    assert source.files == (f"{folder}/$cash.nc",)


def test_files_that_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read everything
    with pytest.raises(InputError, match=r"plain\.nc: no permission to read it"):
        expand(["plain.nc"])
    with pytest.raises(InputError, match=r"run1/x\*\.nc: no permission to look into run1"):
        expand(["run1/x*.nc"])


@pytest.mark.parametrize(
    ("text", "files", "names"),
    [
        ("plain.nc:z", ["plain.nc"], ["z"]),
        ("plain.nc:z, a=b.nc:lsm", ["plain.nc", "a=b.nc"], ["z", "lsm"]),
        ("t2m,2020.nc:z,plain.nc:lsm", ["t2m,2020.nc", "plain.nc"], ["z", "lsm"]),
        ("a:b.nc:z", ["a:b.nc"], ["z"]),
        ("https://h:80/a.nc:z", ["https://h:80/a.nc"], ["z"]),
    ],
)
def test_static_fields(folder: Path, text: str, files: list[str], names: list[str]) -> None:
    found = from_files("plain.nc", "x", text).static
    wanted = [name if "://" in name else f"{folder}/{name}" for name in files]
    assert [source.files[0] for source in found] == wanted
    assert [source.variables[0].name for source in found] == names


@pytest.mark.parametrize("text", ["plain.nc", ":z", "plain.nc:", "https://h/a.nc", "a.nc:x/y"])
def test_static_fields_without_file_or_variable_are_refused(folder: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"--static=.*expected FILE:VARIABLE"):
        from_files("plain.nc", "x", text)


def test_files_in_a_folder_with_brackets_are_one_record(tmp_path: Path) -> None:
    (tmp_path / "run[1]").mkdir()
    record = field(20)
    write(tmp_path / "run[1]" / "b, c.nc", record.isel(time=slice(12, None)))
    write(tmp_path / "run[1]" / "a=1.nc", record.isel(time=slice(0, 12)))
    path = tmp_path / "data.yml"
    path.write_text("predictand: {files: 'run[1]/*.nc', variables: t}", encoding="utf-8")
    described = from_yaml(str(path), "/data").predictand
    assert described is not None
    fields = open_source(described).read(np.arange(20))[0]
    np.testing.assert_array_equal(fields, record.values)


@pytest.mark.parametrize("place", [0, 66_766, (1 << 20) - 1])
def test_any_byte_of_a_small_file_counts(place: int, tmp_path: Path) -> None:
    """Also where its size and time have been put back."""
    path = tmp_path / "data.nc"
    content = bytearray(1 << 20)
    path.write_bytes(content)
    os.utime(path, (1e9, 1e9))
    before = identity(str(path))
    content[place] ^= 1
    path.write_bytes(content)
    os.utime(path, (1e9, 1e9))
    after = identity(str(path))
    assert before[:3] == after[:3]
    assert before != after
