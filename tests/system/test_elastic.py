"""Ranks that leave and join while a network is trained, under Horovod's elastic launcher."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.conftest import TIME_LIMIT_S, environment
from tests.system.launching import BIN, process_of

# Three names of this host, which Horovod takes for three hosts; none is reached by ssh.
HOSTS = ("localhost", "127.0.0.1", socket.gethostname())
POLL_S = 0.1
EPOCHS = 100_000

pytestmark = [pytest.mark.long, pytest.mark.parallel, pytest.mark.horovod]


class Job:
    """A training on the hosts of a list that may be rewritten."""

    def __init__(self, folder: Path, flags: list[str], hosts: tuple[str, ...]) -> None:
        self.run = folder / "out"
        self._list = folder / "hosts"
        self.hosts(*hosts)
        script = folder / "discover.sh"
        script.write_text(f"#!/bin/sh\ncat {self._list}\n")
        script.chmod(0o755)
        launcher = [
            *(str(BIN / "horovodrun"), "--gloo", "-np", str(len(hosts)), "--min-np", "1"),
            *("--max-np", "3", "--network-interface", "lo"),
            *("--host-discovery-script", str(script)),
        ]
        program = [sys.executable, "-m", "app", "train", *flags, f"--save_path={self.run}"]
        with open(folder / "log.txt", "wb") as log:
            self.process = subprocess.Popen(
                [*launcher, *program], env=environment(), stdout=log, stderr=subprocess.STDOUT
            )
        self._log = folder / "log.txt"

    def hosts(self, *names: str) -> None:
        """The hosts that there are from now on, with one slot each."""
        new = self._list.with_suffix(".new")
        new.write_text("".join(f"{name}:1\n" for name in names))
        new.replace(self._list)

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def wait(self, reached: Callable[[], bool]) -> None:
        end = time.monotonic() + TIME_LIMIT_S
        while not reached():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < end, self.said
            time.sleep(POLL_S)

    def trains_on(self, ranks: int) -> None:
        """Wait for two more epochs on so many ranks."""
        start = "started by horovodrun: "
        self.wait(lambda: self.said.rpartition(start)[2].startswith(f"{ranks} rank"))
        first = len(self.history)
        self.wait(lambda: len(self.history) >= first + 2)

    @property
    def history(self) -> list[dict[str, str]]:
        path = self.run / "history.csv"
        return list(csv.DictReader(path.open())) if path.is_file() else []


@pytest.fixture
def job(data_flags: list[str], tmp_path: Path) -> Iterator[Job]:
    flags = [*data_flags, "--normalization=bn", "--dropout_rate=0.2", "--checkpoint_every=4"]
    started = Job(tmp_path, [*flags, f"--epochs={EPOCHS}"], HOSTS[:2])
    yield started
    started.process.kill()


def test_training_goes_on_when_hosts_die_leave_and_join(job: Job) -> None:
    job.trains_on(2)
    # A host dies without a word; the other one goes on from what was last committed.
    os.kill(process_of(job.run, f"HOROVOD_HOSTNAME={HOSTS[1]}"), signal.SIGKILL)
    job.trains_on(1)
    job.hosts(HOSTS[0], HOSTS[2])
    job.trains_on(2)
    # The first rank's host leaves: its lock, its status and its checkpoint are the other's now.
    job.hosts(HOSTS[2])
    job.trains_on(1)
    (job.run / "STOP").touch()
    assert job.process.wait(TIME_LIMIT_S) != 0  # horovodrun's
    assert json.loads((job.run / "status.json").read_text())["state"] == "interrupted"
    epochs = [float(row["epoch"]) for row in job.history]
    assert epochs == [i + 1 for i in range(len(epochs))]  # none twice, none lost
    assert "localhost[0]: interrupted" not in job.said  # it has left, the others went on
