"""Processes of the program that begin with TensorFlow imported: a server forks them.

The launcher starts a client instead of Python. The client asks the server for a process with its
own environment, folder and streams, passes signals on to it, and ends as it ends; where the
client is killed, the process is killed too. It only saves the seconds that imports take.

    python warm.py SOCKET serve        the server; removes nothing, ends by SIGTERM
    python warm.py SOCKET ARGUMENT …   a client, for python -m app ARGUMENT …
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP)
START_LIMIT_S = 300.0
LIMIT = 1 << 20  # bytes of a request
NAME = "warm "  # begins what a forked process is called, its client's number ends it
PEER = (socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
MODULES = (
    *("tensorflow", "keras", "horovod.tensorflow", "matplotlib.pyplot", "app.main", "app.models"),
    *("app.stages.train", "app.stages.test", "app.stages.metrics", "app.stages.prepare"),
    *("app.training.loop", "app.methods.spatial.model", "app.methods.diffusion.model"),
    *("app.inference.predict", "app.metrics.evaluate", "app.report.figures"),
    *("app.distributed.watch", "app.distributed.rendezvous"),
)


@contextlib.contextmanager
def server(path: Path, environment: Mapping[str, str]) -> Iterator[list[str]]:
    """A server at a socket: what begins a command in place of `python -m app`."""
    path.unlink(missing_ok=True)
    quiet = {
        **environment,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERAS_BACKEND": "tensorflow",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with path.with_suffix(".log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, __file__, str(path), "serve"], env=quiet, stdout=log, stderr=log
        )
    try:
        end = time.monotonic() + START_LIMIT_S
        while not path.exists():
            assert process.poll() is None, f"the server ended; see {log.name}"
            assert time.monotonic() < end, "the server does not start"
            time.sleep(0.1)
        yield [sys.executable, "-I", "-S", __file__, str(path)]
    finally:
        process.terminate()
        process.wait()
        path.unlink(missing_ok=True)


def client(path: str, argv: list[str]) -> int:
    """Have a process made, follow it, and return its exit code; its signal ends this one too."""
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(path)
        wanted = {"argv": argv, "cwd": os.getcwd(), "environment": dict(os.environ)}
        socket.send_fds(connection, [json.dumps(wanted).encode()], [0, 1, 2])
        process = int(connection.recv(64))
        for number in PASSED_ON:
            signal.signal(number, lambda number, _: _pass_on(process, number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
        status = int(connection.recv(64))
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    return os.waitstatus_to_exitcode(status)


def _pass_on(process: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # its exit code is on the way
        os.kill(process, number)


def serve(path: str) -> None:
    """Fork a process for every client; one thread, so that forking is safe."""
    import selectors
    from importlib import import_module

    from app.distributed.libraries import has_horovod

    for name in MODULES:
        if has_horovod() or not name.startswith("horovod"):
            import_module(name)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen()
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ, ("client", None, None))
        while True:
            for key, _ in selector.select():
                what, connection, process = key.data
                if what == "client":
                    _admit(listener, selector)
                elif what == "end":
                    _report(key.fd, connection, process, selector)
                else:  # the client is gone, by a signal that it could not pass on
                    selector.unregister(connection)
                    _pass_on(process, signal.SIGKILL)


def _admit(listener: socket.socket, selector: Any) -> None:
    connection, _ = listener.accept()
    content, descriptors, _, _ = socket.recv_fds(connection, LIMIT, 3)
    process = os.fork()
    if process == 0:
        of_client = struct.unpack("3i", connection.getsockopt(*PEER))[0]
        listener.close()
        connection.close()
        selector.close()
        _become(json.loads(content), descriptors, of_client)
    for descriptor in descriptors:
        os.close(descriptor)
    connection.send(str(process).encode())
    selector.register(os.pidfd_open(process), 1, ("end", connection, process))
    selector.register(connection, 1, ("gone", connection, process))


def _report(pidfd: int, connection: socket.socket, process: int, selector: Any) -> None:
    """Pass the end of a process on to its client, if that is still there."""
    selector.unregister(pidfd)
    os.close(pidfd)
    _, status = os.waitpid(process, 0)
    if connection in selector.get_map():
        selector.unregister(connection)
    with contextlib.suppress(OSError):
        connection.send(str(status).encode())
    connection.close()


def _become(wanted: dict[str, Any], descriptors: list[int], of_client: int) -> None:
    """Run the program as `python -m app` would; does not return."""
    code = 1
    try:
        os.setsid()
        with open("/proc/self/comm", "w", encoding="ascii") as name:
            name.write(f"{NAME}{of_client}")  # by which `processes` finds it
        for target, descriptor in enumerate(descriptors):
            os.dup2(descriptor, target)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(wanted["environment"])
        os.chdir(wanted["cwd"])
        sys.argv = ["app", *wanted["argv"]]
        import tempfile

        tempfile.tempdir = None
        from app.console import console

        console()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    if sys.argv[2:] == ["serve"]:
        serve(sys.argv[1])
    sys.exit(client(sys.argv[1], sys.argv[2:]))
