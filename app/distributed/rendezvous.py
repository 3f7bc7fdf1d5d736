"""Where Horovod's ranks find each other: a store over HTTP, for those who know a secret.

Horovod's own store takes whatever anybody sends it. This one, which Horovod takes for it, listens
at one address, answers only hosts of the job and only under a path that holds a secret, keeps what
was first written, and reads no more than the ranks have to tell. The secret lies in the address
that each rank is given: Horovod puts it before the names that it asks for.

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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from app.distributed.team import Store

VALUE_BYTES = 4096  # of a value, and for each rank besides:
VALUE_BYTES_A_RANK = 1024  # an address
NAMES_A_RANK = 16
LONGEST_NAME = 200
REQUEST_LIMIT_S = 3


def start(address: str, hosts: Collection[str], size: int) -> Store:
    """Start the store of `size` ranks on the given hosts; it ends with this process."""
    server = _Server(address, frozenset(hosts), size)
    threading.Thread(target=server.serve_forever, name="rendezvous", daemon=True).start()
    return Store(address, server.server_address[1], server.secret)


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # ranks that come at once

    def __init__(self, address: str, hosts: frozenset[str], size: int) -> None:
        super().__init__((address, 0), _Handler)
        self.hosts = hosts
        self.secret = secrets.token_hex(16)
        self.longest = VALUE_BYTES + size * VALUE_BYTES_A_RANK
        self.most = NAMES_A_RANK * size
        self.values: dict[str, bytes] = {}
        self.lock = threading.Lock()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return client_address[0] in self.hosts

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A request cut short is no concern of the user's."""


class _Handler(BaseHTTPRequestHandler):
    """Answers `/SECRET/:PORT/SCOPE/NAME`, of which Horovod adds all but the secret."""

    server: _Server
    timeout = REQUEST_LIMIT_S

    def parse_request(self) -> bool:
        """Refuse what does not begin with the secret, before anything of it is looked at."""
        if not super().parse_request():
            return False
        secret, *named = [part for part in self.path.split("/") if part] or [""]
        known = hmac.compare_digest(secret.encode(), self.server.secret.encode())
        if not known or len(named) != 3 or len(self.path) > LONGEST_NAME:
            self.send_error(HTTPStatus.FORBIDDEN)
            return False
        self.name = "/".join(named[1:])
        return True

    def do_GET(self) -> None:
        with self.server.lock:
            value = self.server.values.get(self.name)
        self._answer(HTTPStatus.NOT_FOUND if value is None else HTTPStatus.OK, value or b"")

    def do_PUT(self) -> None:
        """Keep what was first written: a rank has one address."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > self.server.longest:
            self.close_connection = True
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        value = self.rfile.read(int(length))
        with self.server.lock:
            if len(self.server.values) < self.server.most:
                self.server.values.setdefault(self.name, value)
        self._answer(HTTPStatus.OK)

    def do_DELETE(self) -> None:
        """What a rank takes back, when Horovod ends, stays: nobody asks for it any more."""
        self._answer(HTTPStatus.OK)

    def _answer(self, status: HTTPStatus, value: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(value)))
        self.end_headers()
        self.wfile.write(value)

    def log_message(self, format: str, *args: Any) -> None:
        """The log is the run's."""
