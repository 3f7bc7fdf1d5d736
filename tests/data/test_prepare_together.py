"""Ranks and jobs that prepare the same data at once, and data that are found again."""

import errno
import json
import multiprocessing
import threading
import time
from pathlib import Path

import pytest
from shard_helpers import field, perfect_prog, write

from app.data.shards import Shards
from app.data.shards import prepare as prepare_module
from app.data.shards import writing as shard_writing
from app.data.shards.prepare import prepare
from app.errors import InputError
from app.ranks import Ranks
from app.running import locks
from app.running.atomic import create_once
from app.running.disk_space import NoRoom
from app.running.owners import owner

FORK = multiprocessing.get_context("fork")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def run_rank(description, cache, rank, size, results):
    """A process of its own: what one rank does."""
    shard_writing.SHARD_BYTES = 2000
    results.put(
        (rank, str(prepare(description, scale=2, cache_dir=cache, ranks=Ranks(rank, size))))
    )


def in_processes(description, cache, ranks):
    results = FORK.Queue()
    processes = [
        FORK.Process(target=run_rank, args=(description, cache, rank, size, results))
        for rank, size in ranks
    ]
    for process in processes:
        process.start()
    folders = {results.get(timeout=60)[1] for _ in processes}
    for process in processes:
        process.join()
    assert len(folders) == 1
    return Path(folders.pop())


@pytest.fixture
def small(tmp_path):
    return perfect_prog(write(tmp_path / "a.nc", field()))


class TestFingerprint:
    def test_found_again_and_changed_by_options_and_inputs(self, small, tmp_path):
        def made(description=small, **options):
            options = {"scale": 2, "cache_dir": tmp_path / "c", **options}
            return prepare(description, **options)

        first = made()
        stamp = (first / "manifest.json").stat().st_mtime_ns
        assert made() == first
        assert (first / "manifest.json").stat().st_mtime_ns == stamp
        minmax = perfect_prog(small.predictand.files[0], scaling="minmax")
        assert len({first, made(scale=3), made(halo=1), made(minmax)}) == 4
        write(Path(small.predictand.files[0]), field(41))
        assert made() != first


class TestSharing:
    def test_two_ranks_write_what_one_writes(self, small, tmp_path, monkeypatch):
        monkeypatch.setattr(shard_writing, "SHARD_BYTES", 2000)
        one = prepare(small, scale=2, cache_dir=tmp_path / "one")
        two = in_processes(small, tmp_path / "two", [(0, 2), (1, 2)])
        assert len(list(one.glob("train/hr-*"))) == 2
        assert contents(one) == contents(two)
        assert [p.name for p in two.parent.iterdir()] == [two.name]

    def test_two_jobs_at_once_make_one_folder(self, small, tmp_path):
        folder = in_processes(small, tmp_path / "c", [(0, 1), (0, 1)])
        Shards.open(folder).verify()
        assert [p.name for p in folder.parent.iterdir()] == [folder.name]

    def test_blocks_do_not_show(self, small, tmp_path, monkeypatch):
        one = prepare(small, scale=2, cache_dir=tmp_path / "one")
        monkeypatch.setattr(shard_writing, "BLOCK_BYTES", 1000)
        two = prepare(small, scale=2, cache_dir=tmp_path / "two")
        for name in ("train/hr-00000-of-00001.nc", "test/lr-00000-of-00001.nc"):
            assert (one / name).read_bytes() == (two / name).read_bytes()

    def test_failure_reaches_those_who_wait(self, small, tmp_path, monkeypatch):
        """Rank 0 fails while rank 1 waits: both say why, and nothing is left but the notice."""

        def full(*_):
            time.sleep(0.5)
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(prepare_module, "write_task", full)
        errors = []

        def rank(number):
            try:
                prepare(small, scale=2, cache_dir=tmp_path / "c", ranks=Ranks(number, 2))
            except NoRoom as error:
                errors.append(str(error))

        threads = [threading.Thread(target=rank, args=(number,)) for number in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        assert len(errors) == 2
        assert all("no space left on the file system" in error for error in errors)
        assert [p.suffix for p in (tmp_path / "c").iterdir()] == [".failed"]
        monkeypatch.undo()
        Shards.open(prepare(small, scale=2, cache_dir=tmp_path / "c"))

    def test_lock_of_a_dead_process_is_taken_over(self, small, tmp_path):
        name = prepare(small, scale=2, cache_dir=tmp_path / "other").name
        cache = tmp_path / "c"
        (cache / f".{name}.old").mkdir(parents=True)
        process = FORK.Process(target=int)
        process.start()
        process.join()
        dead = {**owner(), "pid": process.pid, "folder": f".{name}.old"}
        (cache / f".{name}.lock").write_text(json.dumps(dead))
        folder = prepare(small, scale=2, cache_dir=cache)
        assert [p.name for p in cache.iterdir()] == [folder.name]

    def test_silent_lock_of_another_machine_is_taken_over(self, small, tmp_path, monkeypatch):
        monkeypatch.setattr(locks, "STALE_AFTER", 0.3)
        name = prepare(small, scale=2, cache_dir=tmp_path / "other").name
        (tmp_path / "c").mkdir()
        far = {**owner(), "machine": "elsewhere", "folder": f".{name}.old"}
        (tmp_path / "c" / f".{name}.lock").write_text(json.dumps(far))
        prepare(small, scale=2, cache_dir=tmp_path / "c")

    def test_failure_of_a_helper_reaches_the_leader(self, small, tmp_path, monkeypatch):
        real_write = prepare_module.write_task

        def fails_for_helpers(plan, task, folder):
            if threading.current_thread().name == "helper":
                raise OSError(errno.EIO, "Input/output error")
            time.sleep(0.3)
            return real_write(plan, task, folder)

        monkeypatch.setattr(prepare_module, "write_task", fails_for_helpers)

        def help_and_fail():
            with pytest.raises(OSError, match="Input/output"):
                prepare(small, scale=2, cache_dir=tmp_path / "c", ranks=Ranks(1, 2))

        helper = threading.Thread(target=help_and_fail, name="helper")
        helper.start()
        with pytest.raises(InputError, match=r"rank 1: .*Input/output error"):
            prepare(small, scale=2, cache_dir=tmp_path / "c", ranks=Ranks(0, 2))
        helper.join()

    def test_a_rank_alone_does_not_wait_for_ever(self, small, tmp_path, monkeypatch):
        monkeypatch.setattr(prepare_module, "WAIT_LIMIT", 0.3)
        with pytest.raises(InputError, match="without a sign of life"):
            prepare(small, scale=2, cache_dir=tmp_path / "c", ranks=Ranks(1, 2))

    def test_shard_of_a_dead_helper_is_written_again(self, small, tmp_path, monkeypatch):
        """A claim whose process is gone does not stop the leader."""
        process = FORK.Process(target=int)
        process.start()
        process.join()
        real_work = prepare_module._work

        def with_dead_claim(job, folder, beat):
            claim = folder / f"{job.tasks[0].name}.claim"
            create_once(claim, {**owner(), "pid": process.pid})
            monkeypatch.setattr(prepare_module, "_work", real_work)
            real_work(job, folder, beat)

        monkeypatch.setattr(prepare_module, "_work", with_dead_claim)
        Shards.open(prepare(small, scale=2, cache_dir=tmp_path / "c")).verify()
