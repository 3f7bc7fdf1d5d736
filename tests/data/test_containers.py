"""What a file is, told by its content: files are written by other libraries, then broken."""

import bz2
import contextlib
import gzip
import io
import json
import lzma
import os
import shutil
import tarfile
import zipfile

import h5py
import netCDF4
import numpy as np
import pytest
import xarray as xr
from scipy.io import netcdf_file

from app.data.description import Source, Variable
from app.data.reading.containers import engine_of
from app.data.reading.files import open_lazily
from app.data.reading.sources import open_source
from app.errors import InputError

CLASSIC = ("NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA")


def field(times=4):
    values = np.arange(times * 4 * 5, dtype=np.float32).reshape(times, 4, 5)
    coords = {
        "time": np.datetime64("2020-01-01", "ns") + np.arange(times) * np.timedelta64(1, "h"),
        "lat": ("lat", np.arange(40.0, 44.0), {"units": "degrees_north"}),
        "lon": ("lon", np.arange(0.0, 5.0), {"units": "degrees_east"}),
    }
    return xr.DataArray(values, coords, ("time", "lat", "lon"), "t", {"units": "K"})


def write_classic(path, name, variables, records=3):
    """Variables (dtype, by record?, cells) in a classic file."""
    with netCDF4.Dataset(path, "w", format=name) as file:
        file.createDimension("time", None)
        file.title = "odd"
        for i, (dtype, varies, cells) in enumerate(variables):
            file.createDimension(f"x{i}", cells)
            dims = ("time", f"x{i}") if varies else (f"x{i}",)
            variable = file.createVariable(f"v{i}", dtype, dims)
            variable.note = "abc"
            if not varies or records:
                shape = (records, cells) if varies else (cells,)
                variable[:] = np.full(shape, 7, dtype)


def refusal(path, engine=None):
    with pytest.raises(InputError) as caught:
        open_lazily(str(path), engine)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    assert "xarray" not in text
    return text.removeprefix(str(path))


class TestClassicNetCDF:
    # Variables (dtype, by record?, cells), bytes of padding at the end with records and without.
    LAYOUTS = (
        ([("f8", False, 3)], 0, 0),
        ([("i2", True, 3)], 0, None),  # a single record variable: its records are not padded
        ([("i1", True, 1)], 0, None),
        ([("i2", True, 3), ("f8", True, 1)], 0, None),
        ([("i1", False, 3), ("i2", True, 5), ("i1", True, 1)], 3, 1),
        ([("f4", True, 2), ("i1", False, 5)], 0, 3),
    )

    @pytest.mark.parametrize("name", CLASSIC)
    @pytest.mark.parametrize("layout", LAYOUTS, ids=range(len(LAYOUTS)))
    @pytest.mark.parametrize("records", [0, 1, 3])
    def test_whole_files_pass_and_one_missing_byte_is_noticed(
        self, tmp_path, name, layout, records
    ):
        path = tmp_path / "a.nc"
        write_classic(path, name, layout[0], records)
        whole = path.read_bytes()
        assert engine_of(str(path), None) == "netcdf4"
        padding = layout[1] if records else layout[2]
        if padding is None:
            return
        needed = len(whole) - padding
        path.write_bytes(whole[:needed])
        assert engine_of(str(path), None) == "netcdf4"
        path.write_bytes(whole[: needed - 1])
        assert f"it has {needed - 1:,} bytes, its header says {needed:,}" in refusal(path)

    def test_files_of_another_writer(self, tmp_path):
        path = tmp_path / "a.nc"
        with netcdf_file(path, "w", version=2) as file:
            file.createDimension("time", None)
            file.createDimension("x", 3)
            for name, dtype in (("a", "i2"), ("b", "f4")):
                file.createVariable(name, dtype, ("time", "x"))[:] = np.ones((5, 3))
        assert engine_of(str(path), None) == "netcdf4"
        path.write_bytes(path.read_bytes()[:-1])
        assert "its header says" in refusal(path)

    def test_packed_shorts_that_were_not_downloaded_whole(self, tmp_path):
        encoding = {"t": {"dtype": "i2", "scale_factor": 0.01, "_FillValue": -32767}}
        path = tmp_path / "a.nc"
        field(100).to_netcdf(path, format="NETCDF3_64BIT", encoding=encoding)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) * 6 // 10])
        with pytest.raises(InputError, match=f"NetCDF-3.*its header says {len(whole):,}"):
            open_source(Source((str(path),), (Variable("t", "t"),)))

    def test_any_cut_or_flipped_header_ends_in_one_line(self, tmp_path):
        path = tmp_path / "a.nc"
        write_classic(path, "NETCDF3_64BIT_OFFSET", self.LAYOUTS[4][0])
        whole = path.read_bytes()
        for length in range(4, 200, 7):
            path.write_bytes(whole[:length])
            assert "damaged header (the file ends" in refusal(path)
        random = np.random.default_rng(0)
        for _ in range(200):
            broken = bytearray(whole)
            broken[random.integers(4, 200)] = random.integers(256)
            path.write_bytes(bytes(broken))
            with contextlib.suppress(InputError):
                engine_of(str(path), None)

    def test_an_open_number_of_records_is_refused(self, tmp_path):
        path = tmp_path / "a.nc"
        write_classic(path, "NETCDF3_CLASSIC", [("f8", True, 3)])
        path.write_bytes(path.read_bytes()[:4] + b"\xff" * 4 + path.read_bytes()[8:])
        assert "leaves the number of records open" in refusal(path)


class TestHDF5:
    @pytest.mark.parametrize("version", ["earliest", "v108", "v110"])
    @pytest.mark.parametrize("user_block", [0, 512, 2048])
    def test_whole_and_cut(self, tmp_path, version, user_block):
        path = tmp_path / "a.nc"
        with h5py.File(path, "w", libver=(version, "latest"), userblock_size=user_block) as file:
            file["x"] = np.arange(1000.0)
        whole = path.read_bytes()
        np.testing.assert_array_equal(open_lazily(str(path), None)["x"], np.arange(1000.0))
        path.write_bytes(whole + b"more")
        assert engine_of(str(path), None) == "netcdf4"
        for kept in (len(whole) - 1, len(whole) // 2):
            path.write_bytes(whole[:kept])
            said = f"it has {kept:,} bytes, its header says {len(whole):,}; get it again"
            assert said in refusal(path)
        path.write_bytes(whole[: user_block + 20])
        assert "damaged header" in refusal(path)

    def test_a_file_that_its_writer_has_not_closed(self, tmp_path):
        with h5py.File(tmp_path / "a.nc", "w", libver="latest") as file:
            file["x"] = np.arange(10.0)
            file.flush()
            shutil.copy(tmp_path / "a.nc", tmp_path / "b.nc")
        assert "that is still being written, or whose writer" in refusal(tmp_path / "b.nc")
        assert open_lazily(str(tmp_path / "a.nc"), None)["x"].size == 10

    def test_a_name_without_extension(self, tmp_path):
        field().to_netcdf(tmp_path / "plain", engine="netcdf4")
        assert open_lazily(str(tmp_path / "plain"), None).sizes["time"] == 4

    def test_damaged_values_name_file_and_variable(self, tmp_path):
        path = tmp_path / "a.nc"
        data = field(60) + np.random.default_rng(0).random((60, 4, 5), np.float32)
        data.rename("t").to_netcdf(path, engine="netcdf4", encoding={"t": {"zlib": True}})
        with h5py.File(path) as file:
            chunk = file["t"].id.get_chunk_info(0)
        broken = bytearray(path.read_bytes())
        middle = chunk.byte_offset + chunk.size // 2
        broken[middle : middle + 40] = b"\x5a" * 40
        path.write_bytes(bytes(broken))
        opened = open_source(Source((str(path),), (Variable("t", "t"),)))
        with pytest.raises(InputError, match=r"a\.nc: t cannot be read, the file may be damaged"):
            opened.read(np.arange(60))


def zipped(path, content):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


HTML = (
    "<!DOCTYPE html>\n<html><head><title>Earthdata Login</title><style>p {color: red}</style>"
    "</head><body><p>Please sign&nbsp;in</p></body></html>"
)


class TestNoData:
    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "empty (0 bytes)"),
            (gzip.compress(b"CDF\x01", mtime=0), "gunzip"),
            (bz2.compress(b"CDF\x01"), "bunzip2"),
            (lzma.compress(b"CDF\x01"), "unxz"),
            (HTML.encode(), "an HTML page, not data: “Earthdata Login Please sign in”"),
            (b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", "XML.*“NoSuchKey”"),
            (b'{"error": "quota exceeded"}', 'JSON text.*“{"error": "quota exceeded"}”'),
            ("Zeitüberschreitung".encode("latin-1"), "plain text.*“Zeit.berschreitung”"),
            ("not found".encode("utf-16"), "plain text.*“not found”"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
            (b"netcdf a {\ndimensions:\n", "ncgen"),
            (b"\x0e\x03\x13\x01" + bytes(90), "HDF4; convert it to NetCDF"),
            (b"\x89PNG\r\n\x1a\n\x00\x00", "a PNG image"),
            (b"%PDF-1.7\n\x00", "a PDF document"),
            (b"II*\x00" + bytes(90), "gdal_translate"),
            (bytes(5000), "begins with 4096 zero bytes"),
            (b"\x01\x02\xfe\xff" * 9, "first bytes are 01 02 fe ff 01 02 fe ff"),
            (b"CDF\x04" + bytes(90), "first bytes are 43 44 46 04"),
            (b"PK\x03\x04" + bytes(90), "a ZIP archive that is damaged"),
        ],
        ids=lambda value: value if isinstance(value, str) else "bytes",
    )
    def test_is_named_for_what_it_is(self, tmp_path, content, words):
        path = tmp_path / "a.nc"
        path.write_bytes(content)
        with pytest.raises(
            InputError, match=words.replace("(0", r"\(0").replace("bytes)", r"bytes\)")
        ):
            open_lazily(str(path), None)
        refusal(path)

    def test_a_zip_archive_lists_what_is_in_it(self, tmp_path):
        zipped(tmp_path / "a.nc", {f"{n}.nc": b"CDF" for n in "abcde"})
        said = refusal(tmp_path / "a.nc")
        assert "a ZIP archive of 5 files (a.nc, b.nc, c.nc, d.nc, …); unzip it" in said

    def test_a_tar_archive(self, tmp_path):
        with tarfile.open(tmp_path / "a.nc", "w") as archive:
            entry = tarfile.TarInfo("b.nc")
            archive.addfile(entry, io.BytesIO(b""))
        assert "tar -xf" in refusal(tmp_path / "a.nc")

    def test_an_unfinished_download(self, tmp_path):
        (tmp_path / "a.nc.part").write_bytes(b"\x01\x02\x00")
        assert "by its name unfinished" in refusal(tmp_path / "a.nc.part")

    def test_a_pipe_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "a.nc")
        assert "a pipe or device" in refusal(tmp_path / "a.nc")

    def test_a_folder_of_files(self, tmp_path):
        (tmp_path / "d").mkdir()
        field().to_netcdf(tmp_path / "d" / "a.nc")
        said = refusal(tmp_path / "d")
        assert "a folder without the metadata of a Zarr store" in said
        assert f"1 file (a.nc). Give its files as {tmp_path / 'd'}/*.nc" in said

    def test_an_engine_for_another_format_or_none(self, tmp_path):
        field().to_netcdf(tmp_path / "a.nc")
        assert "a NetCDF file, not for engine: zarr" in refusal(tmp_path / "a.nc", "zarr")
        assert "engine: hdf is not installed; there are: " in refusal(tmp_path / "a.nc", "hdf")


class TestZarr:
    @pytest.mark.parametrize("version", [2, 3])
    @pytest.mark.parametrize("consolidated", [True, False])
    def test_in_a_zip_archive(self, tmp_path, version, consolidated):
        store = tmp_path / "a.zarr"
        data = field()
        data.to_dataset().to_zarr(store, zarr_format=version, consolidated=consolidated)
        shutil.make_archive(str(tmp_path / "b.zarr"), "zip", store)
        opened = open_source(Source((str(tmp_path / "b.zarr.zip"),), (Variable("t", "t"),)))
        np.testing.assert_array_equal(opened.read(np.arange(4))[0], data.values)

    @pytest.mark.parametrize("version", [2, 3])
    @pytest.mark.parametrize("consolidated", [True, False])
    def test_a_field_without_any_chunk_is_pointed_out(
        self, tmp_path, version, consolidated, caplog
    ):
        store = tmp_path / "a.zarr"
        data = field().to_dataset().assign_coords(number=0)
        data.to_zarr(store, zarr_format=version, consolidated=consolidated)
        open_lazily(str(store), None)
        assert not caplog.records
        for entry in (store / "t").iterdir():
            if entry.name == "c" or entry.name[0].isdigit():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        open_lazily(str(store), None)
        said = (
            f"{store}: no chunk of t is there, so that all its values read as the fill value NaN; "
            "is the store copied whole?"
        )
        assert [r.getMessage() for r in caplog.records] == [said]
        if consolidated:
            shutil.rmtree(store / "t")
            open_lazily(str(store), None)
            assert [r.getMessage() for r in caplog.records] == [said, said]

    def test_a_variable_without_metadata_is_pointed_out(self, tmp_path, caplog):
        store = tmp_path / "a.zarr"
        data = xr.Dataset({"t": field(), "u": field()})
        data.to_zarr(store, zarr_format=2, consolidated=False)
        (store / "u" / ".zarray").unlink()
        open_lazily(str(store), None)
        assert "u has no metadata (.zarray, zarr.json); not read" in caplog.text

    @pytest.mark.parametrize("version", [2, 3])
    def test_damaged_values_name_store_and_variable(self, tmp_path, version):
        store = tmp_path / "a.zarr"
        field().to_dataset().to_zarr(store, zarr_format=version)
        chunk = next(p for p in (store / "t").rglob("*") if p.is_file() and p.name[0].isdigit())
        chunk.write_bytes(b"\x5a" * chunk.stat().st_size)
        opened = open_source(Source((str(store),), (Variable("t", "t"),)))
        with pytest.raises(InputError, match=r"a\.zarr: t cannot be read, the file may be damaged"):
            opened.read(np.arange(4))

    def test_damaged_metadata(self, tmp_path):
        store = tmp_path / "a.zarr"
        field().to_dataset().to_zarr(store, zarr_format=2, consolidated=False)
        (store / "t" / ".zarray").write_text('{"shape": [4,')
        assert "cannot be read as Zarr, the file may be damaged" in refusal(store)

    def test_a_single_array(self, tmp_path):
        (tmp_path / "a.zarr").mkdir()
        (tmp_path / "a.zarr" / ".zarray").write_text(json.dumps({"shape": [3]}))
        assert "a single Zarr array" in refusal(tmp_path / "a.zarr")


class TestAddresses:
    def test_a_server_that_is_not_there(self):
        said = refusal("https://localhost:1/a.nc")
        assert "expected the address of a Zarr store or of an OPeNDAP service" in said

    def test_grib_is_local(self):
        assert "download it first" in refusal("https://localhost:1/a.grib", "cfgrib")
