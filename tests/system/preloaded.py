"""One process that has imported TensorFlow, and a fork of it for each run of the program.

Importing TensorFlow takes longer than most of what the tests run. A fork begins where the import
has ended and is otherwise a process of its own: its folder, environment, standard streams, exit
code, signals and end are those of `python -m app`. No fork may be made once TensorFlow has
started its thread pools, so the server does nothing but import.
"""

from __future__ import annotations

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

BACKLOG = 16
START_LIMIT_S = 120


class Preloaded:
    """A client of the server; `run` is used like `subprocess.run` with captured output."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._address = str(folder / "preloaded")
        server = socket.socket(socket.AF_UNIX)
        server.bind(self._address)
        server.listen(BACKLOG)
        with server:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.system.preloaded", str(server.fileno())],
                pass_fds=[server.fileno()],
                env=environment,
                cwd=Path(__file__).resolve().parents[2],
                stderr=subprocess.DEVNULL,  # what TensorFlow says of GPUs when it is imported
            )

    def close(self) -> None:
        self._server.kill()
        self._server.wait()

    def run(
        self, argv: list[str], *, cwd: Path, env: dict[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m app` with arguments; TimeoutExpired where it takes longer (seconds)."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(START_LIMIT_S)
                line.connect(self._address)
                request = json.dumps({"argv": argv, "cwd": str(cwd), "env": env}).encode()
                socket.send_fds(line, [len(request).to_bytes(4)], [out.fileno(), err.fileno()])
                line.sendall(request)
                line.settimeout(timeout)
                try:
                    answer = line.makefile().readline()
                except TimeoutError:
                    raise subprocess.TimeoutExpired(argv, timeout) from None
            if not answer:
                raise RuntimeError("the process that forks the program has ended")
            texts = []
            for stream in (out, err):
                stream.seek(0)
                texts.append(stream.read().decode())
        return subprocess.CompletedProcess(argv, int(answer), *texts)


def serve(server: socket.socket) -> None:
    """Fork for each request; returns in the fork that is to run the program, and only there."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        line, _ = server.accept()
        if os.fork() == 0:
            server.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _attend(line)
            return
        line.close()


def _attend(line: socket.socket) -> None:
    """Fork once more and tell the client how the fork has ended; returns in that fork alone."""
    length, streams, _, _ = socket.recv_fds(line, 4, 2)
    with line.makefile("rb") as incoming:
        request = json.loads(incoming.read(int.from_bytes(length)))
    child = os.fork()
    if child:
        ended = _ended(child, line)
        line.sendall(f"{ended}\n".encode())
        os._exit(0)
    line.close()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.path[0] = request["cwd"]
    sys.argv = ["", *request["argv"]]


def _ended(child: int, line: socket.socket) -> int:
    """The exit code of a child, negative for a signal; it is killed once the client has gone."""
    line.settimeout(0.02)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        try:
            if not line.recv(1):
                os.kill(child, signal.SIGKILL)
        except TimeoutError:
            continue


def main() -> None:
    """Import what the program uses, then become the program at each request."""
    import keras
    import matplotlib.pyplot
    import netCDF4
    import scipy.stats
    import tensorflow
    import xarray

    assert all((keras, matplotlib, netCDF4, scipy, tensorflow, xarray))
    serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module("app", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
