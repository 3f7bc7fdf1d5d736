"""Ranks and Horovod's store listen where the job needs it, and to those who know its secret."""

import asyncio
import contextlib
import json
import stat
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.distributed import rendezvous
from app.distributed.network import addresses, places_to_listen
from app.distributed.peers import LONGEST_LINE, Peer
from app.distributed.team import Store
from app.distributed.watch import Watch
from app.errors import RunError
from app.options import LaunchConfig
from app.ranks import Ranks
from app.running.atomic import read_json


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What rank 0 has published, while it waits in vain for rank 1 on the same host."""
    monkeypatch.setenv("PMIX_NAMESPACE", "job")
    monkeypatch.setattr("app.distributed.watch.GREETING_S", 0.5)
    watch = Watch(Ranks(0, 2, 0, 2, "mpirun"), tmp_path, LaunchConfig(None, 3, 30))
    outcome: list[BaseException] = []

    def gather() -> None:
        try:
            watch.gather()
        except RunError as error:
            outcome.append(error)

    thread = threading.Thread(target=gather)
    thread.start()
    path = tmp_path / ".launch" / "mpirun-job-0.json"
    while (facts := read_json(path)) is None:  # it is made, then written
        time.sleep(0.01)
    yield {**facts, "mode": path.stat().st_mode, "folder": path.parent.stat().st_mode}
    thread.join()
    assert [str(one)[:25] for one in outcome] == ["rank 1 of 2 has not come "]  # nobody got in
    watch.leave(0)
    assert list(tmp_path.iterdir()) == []


def test_the_secret_is_for_the_user_alone_and_one_host_listens_on_the_loopback(
    waiting: dict[str, Any],
) -> None:
    assert stat.S_IMODE(waiting["mode"]) == 0o600
    assert stat.S_IMODE(waiting["folder"]) == 0o700
    assert len(waiting["secret"]) == 64
    assert waiting["addresses"] == ["127.0.0.1"]
    listening = [c.laddr for c in psutil.Process().net_connections() if c.status == "LISTEN"]
    assert [one.ip for one in listening if one.port == waiting["port"]] == ["127.0.0.1"]


def test_strangers_are_not_admitted(waiting: dict[str, Any]) -> None:
    hello = {"rank": 1, "size": 2, "local_rank": 1, "node": "x", "cpus": [0]}

    async def answer(*lines: bytes) -> list[bytes]:
        """What a stranger is told after the number once used, until rank 0 hangs up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", waiting["port"])
        await reader.readline()
        for line in lines:
            writer.write(line)
        told = (await reader.read()).splitlines()
        writer.close()
        return told

    async def guess() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", waiting["port"])
        peer = await Peer.greet(reader, writer, "a guess", hosting=False)
        assert await peer.receive() is None  # the true one is not taken for it, either
        peer.send(**hello)
        assert await reader.read() == b""

    async def all_of_them() -> None:
        plain = json.dumps({**hello, "token": waiting["secret"]}).encode() + b"\n"
        nonce = b"0" * 32 + b"\n"
        long, deep = b"x" * (2 * LONGEST_LINE), b"[" * 60_000 + b"\n"
        guessed = b"0" * 64 + b" " + plain
        for lines in [(plain,), (nonce, plain), (nonce, guessed), (long,), (b"\xff\n",),
                      (nonce, deep)]:  # fmt: skip
            with contextlib.suppress(ConnectionError):
                told = await answer(*lines)
                assert [line[-17:] for line in told] in ([], [b'{"welcome": true}'])
        await guess()

    asyncio.run(all_of_them())


def test_a_line_that_is_sent_again_is_not_taken() -> None:
    async def run() -> None:
        seen: list[bytes] = []
        ends: list[Peer] = []

        async def host(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            ends.append(await Peer.greet(reader, writer, "s", hosting=True))

        server = await asyncio.start_server(host, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        peer = await Peer.greet(reader, writer, "s", hosting=False)
        write = writer.write
        writer.write = lambda data: (seen.append(data), write(data))[1]  # type: ignore[method-assign]
        peer.send(beat=1)
        while not ends:
            await asyncio.sleep(0.01)
        assert await ends[0].receive() == {"beat": 1}
        write(seen[0])
        assert await ends[0].receive() is None
        writer.close()
        server.close()

    asyncio.run(run())


def test_a_named_interface_alone_is_listened_on() -> None:
    assert places_to_listen("lo", one_host=False) == ("127.0.0.1", ["127.0.0.1"])
    assert places_to_listen(None, one_host=True) == ("127.0.0.1", ["127.0.0.1"])
    assert places_to_listen(None, one_host=False) == ("0.0.0.0", addresses(None))


def ask(
    store: Store, path: str, method: str = "GET", data: bytes | None = None
) -> tuple[int, bytes]:
    url = f"http://{store.address}:{store.port}{path}"
    try:
        request = urllib.request.Request(url, data=data, method=method)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, b""


def test_horovods_store_answers_below_its_secret_alone() -> None:
    store = rendezvous.start("127.0.0.1", {"127.0.0.1"}, size=2)
    below = f"/{store.path}/:{store.port}/global"
    assert ask(store, f"{below}/0", "PUT", b"first") == (200, b"")
    assert ask(store, f"{below}/0", "PUT", b"other") == (200, b"")
    assert ask(store, f"{below}/0") == (200, b"first")
    for path in (
        "/global/0",
        f"/{'0' * 32}/:1/global/0",
        "/",
        "//",
        f"/{store.path}",
        "/etc/passwd",
    ):
        assert ask(store, path)[0] == 403
        assert ask(store, path, "PUT", b"x")[0] == 403
        assert ask(store, path, "DELETE")[0] == 403
    assert ask(store, f"{below}/1", "PUT", b"x" * 10_000)[0] == 413
    for key in range(100):
        ask(store, f"{below}/{key}", "PUT", b"x")
    assert ask(store, f"{below}/99")[0] == 404


def test_horovods_store_answers_hosts_of_the_job_alone() -> None:
    store = rendezvous.start("127.0.0.1", {"10.0.0.1"}, size=2)
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        ask(store, f"/{store.path}/:{store.port}/global/0")
