"""Where Horovod's ranks find each other: its own HTTP store, for those who know a secret.

Horovod's store takes whatever anybody sends it. Here it listens at one address, answers only
hosts of the job and only under a path that holds a secret, keeps what was first written, and reads
no more than the ranks have to tell. The secret lies in the address that each rank is given: Horovod
puts it before the names that it asks for.

What this cannot do: under `horovodrun` the store is the launcher's own, open to everybody, and once
the ranks have met, the connections between them (Gloo's) are neither secret nor authenticated. A
cluster whose network strangers share needs a network of its own for such jobs.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Collection
from http import HTTPStatus
from typing import Any

from horovod.runner.http.http_server import RendezvousHandler, RendezvousHTTPServer

from app.distributed.team import Store

VALUE_BYTES = 4096  # of a value, and for each rank besides:
VALUE_BYTES_A_RANK = 1024  # an address
NAMES_A_RANK = 16
LONGEST_NAME = 200


def start(address: str, hosts: Collection[str], size: int) -> Store:
    """Start the store of `size` ranks on the given hosts; it ends with this process."""
    server = _Server(address, frozenset(hosts), size)
    threading.Thread(target=server.serve_forever, name="rendezvous", daemon=True).start()
    return Store(address, server.server_address[1], server.secret)


class _Server(RendezvousHTTPServer):
    def __init__(self, address: str, hosts: frozenset[str], size: int) -> None:
        super().__init__((address, 0), _Handler, 0)
        self.hosts = hosts
        self.secret = secrets.token_hex(16)
        self.longest = VALUE_BYTES + size * VALUE_BYTES_A_RANK
        self.most = NAMES_A_RANK * size

    def verify_request(self, request: Any, client_address: tuple[str, int]) -> bool:
        return client_address[0] in self.hosts

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A request cut short is no concern of the user's."""


class _Handler(RendezvousHandler):
    server: _Server
    path: str

    def parse_request(self) -> bool:
        """Refuse what does not begin with the secret, before anything of it is looked at."""
        if not super().parse_request():
            return False
        secret, *named = [part for part in self.path.split("/") if part] or [""]
        known = hmac.compare_digest(secret.encode(), self.server.secret.encode())
        if not known or len(named) != 3 or len(self.path) > LONGEST_NAME:
            self.send_error(HTTPStatus.FORBIDDEN)
            return False
        self.path = "/".join(["", *named[1:]])  # the first is `:PORT`, from Horovod
        return True

    def do_PUT(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > self.server.longest:
            self.close_connection = True
            self.send_status_code(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        super().do_PUT()

    def do_HEAD(self) -> None:
        self.send_status_code(HTTPStatus.METHOD_NOT_ALLOWED)

    def _put_value(self, scope: str, key: str, value: bytes) -> None:
        """Keep what was first written: a rank has one address."""
        with self.server.cache_lock:
            if sum(map(len, self.server.cache.values())) < self.server.most:
                self.server.cache.setdefault(scope, {}).setdefault(key, value)
