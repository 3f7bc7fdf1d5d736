"""The ranks of a job find each other, and end together when one of them is gone.

Rank 0 listens on any free port and publishes it in the run folder; the others connect, say who
they are and stay connected; the file also holds the secret that tells them from strangers. A
connection that breaks is a rank that died; one that falls silent
is a rank that hangs, as is one that lives but lets the others wait. All of it runs in a thread
that exchanges a line every few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from app.arrays import Json
from app.distributed.libraries import HOROVOD
from app.distributed.meeting import Meeting
from app.distributed.network import addresses, places_to_listen
from app.distributed.peers import LONGEST_LINE, Fate, Peer, Stillness
from app.distributed.session_folders import mark_and_tidy
from app.distributed.team import Member, Team
from app.errors import InputError, RunError, one_line
from app.exit_codes import INTERRUPTED, OK
from app.options import LaunchConfig
from app.ranks import Ranks

BEAT_S = 5.0
POLL_S = 0.2
CONNECT_S = 2.0  # for one try at one address
GREETING_S = 10.0  # in which a connection must prove that it is one of ours
STRANGERS = 64  # connections at a time that have not done so
GRACE_S = 10.0  # in which a rank may report by itself what made another one fail
FORWARD_S = 2.0  # in which word of a failure reaches the others
TOKENS = 10**18  # that may name what the ranks of one start share
LATE_S = 10.0  # by which the others wait longer than rank 0, which knows who is missing
# Ends that are no failure: done, refused alike by all ranks, or interrupted by agreement.
AGREED_CODES = (OK, INTERRUPTED)

Result = TypeVar("Result")


@dataclass
class Watch:
    """One rank's part of the watch; `gather` begins it, `leave` ends it."""

    ranks: Ranks
    folder: Path
    launch: LaunchConfig
    library: str | None = HOROVOD  # that joins the ranks, once they have met
    secret: str = field(default_factory=lambda: secrets.token_hex(32))

    def __post_init__(self) -> None:
        self.peers: dict[int, Peer] = {}
        self.fate: Fate | None = None
        self.gathered = False
        self.entered: Callable[[], int] = int  # steps and exchanges of this rank; none as yet
        self.ending: Callable[[str], None] = lambda _: None  # told why the job ends, before it does
        self._still = Stillness()
        self._strangers = 0
        self.beat_s = min(BEAT_S, self.launch.rank_timeout / 4)
        self._told = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_task_failed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="watch", daemon=True)

    def gather(self) -> Team:
        """Wait until all ranks have come; RunError names those that have not."""
        if self.ranks.local_rank == 0:
            mark_and_tidy()
        self._thread.start()
        return self._run(self._host() if self.ranks.first else self._join())

    def leave(self, code: int, reason: str = "") -> None:
        """Say good-bye, so that the end of this rank is not taken for an accident."""
        if not self._thread.is_alive():
            return
        with contextlib.suppress(TimeoutError):
            self._run(self._say_goodbye(code, reason), timeout=GRACE_S + FORWARD_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(FORWARD_S)

    def verdict(self) -> str | None:
        """Which rank has failed, where that is known or becomes known in a moment.

        Where a rank died, the watch is about to report it and to end this process.
        """
        self._told.wait(GRACE_S / 2)
        if self.fate and self.fate.sudden:
            time.sleep(GRACE_S)
        return str(self.fate) if self.fate else None

    def _run(self, work: Coroutine[Any, Any, Result], timeout: float | None = None) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)  # the loop itself would let it be collected
        task.add_done_callback(self._tasks.discard)

    # Rank 0 ------------------------------------------------------------------------------------

    async def _host(self) -> Team:
        """Publish where we are, wait for all, and tell them what they need to know."""
        one_host = self.ranks.local_size == self.ranks.size
        listen, reachable = places_to_listen(self.launch.network_interface, one_host)
        server = await asyncio.start_server(self._admit, listen, 0, limit=LONGEST_LINE)
        port = server.sockets[0].getsockname()[1]
        meeting = Meeting(self.folder, self.ranks)
        meeting.publish(addresses=reachable, port=port, secret=self.secret)
        begun = time.monotonic()
        try:
            while self._missing() and not self.fate:
                if time.monotonic() - begun > self.launch.launch_timeout:
                    await self._refuse_missing()
                await asyncio.sleep(POLL_S)
        finally:
            meeting.remove()
            server.close()  # to newcomers
        self._raise_fate()
        self.gathered = True  # before the others go on, one of which may fail at once
        return self._introduce(reachable)

    def _missing(self) -> list[int]:
        return [rank for rank in range(1, self.ranks.size) if rank not in self.peers]

    async def _refuse_missing(self) -> None:
        missing = self._missing()
        names = ", ".join(map(str, missing))
        what = "have not come" if len(missing) > 1 else "has not come"
        waited = f"within --launch_timeout={self.launch.launch_timeout} s"
        first = f"{names} of {self.ranks.size} {what} {waited}"
        plural = "ranks" if len(missing) > 1 else "rank"
        for peer in self.peers.values():
            peer.send(refused=f"{plural} {first}")
        await self._drain()
        raise RunError(f"{plural} {first}")

    def _introduce(self, reachable: list[str]) -> Team:
        from app.distributed import rendezvous

        own = self._member
        members = [own, *(peer.member for peer in self.peers.values() if peer.member)]
        used = self._address_used(own, reachable)
        hosts = {peer.writer.get_extra_info("peername")[0] for peer in self.peers.values()}
        wanted = self.library == HOROVOD
        store = rendezvous.start(used, {used, *hosts}, self.ranks.size) if wanted else None
        token = str(secrets.randbelow(TOKENS))
        for peer, member in zip(self.peers.values(), members[1:], strict=True):
            peer.send(team=Team.seen_by(member, members, store, token).to_dict())
        self._start(self._beat())
        return Team.seen_by(own, members, store, token)

    def _address_used(self, own: Member, reachable: list[str]) -> str:
        """Our address as ranks elsewhere reach it: of several, some may lead nowhere."""
        elsewhere = [p for p in self.peers.values() if p.member and p.member.node != own.node]
        if elsewhere:
            result: str = elsewhere[0].writer.get_extra_info("sockname")[0]
            return result
        return reachable[0]

    async def _admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A rank that knows the secret is one of ours; listen to it until it leaves."""
        if self._strangers >= STRANGERS:
            writer.close()
            return
        self._strangers += 1
        try:
            async with asyncio.timeout(GREETING_S):
                peer = await Peer.greet(reader, writer, self.secret, hosting=True)
                peer.send(welcome=True)
                hello = await peer.receive()
        except (OSError, ValueError, TimeoutError):
            hello = None
        finally:
            self._strangers -= 1
        if hello is None:
            writer.close()
            return
        member = Member(**{**hello, "cpus": tuple(hello["cpus"])})
        peer.member = member
        if self._differs(member) or member.rank in self.peers:
            self._judge(Fate(member.rank, self._contradiction(member), code=2))
            return
        self.peers[member.rank] = peer
        self._start(self._listen(member.rank, peer))

    @property
    def _member(self) -> Member:
        return Member.here(self.ranks, self.library)

    def _differs(self, member: Member) -> bool:
        return (member.size, member.library) != (self.ranks.size, self.library)

    def _contradiction(self, member: Member) -> str:
        if member.size != self.ranks.size:
            return (
                f"was started as one of {member.size} ranks, rank 0 as one of {self.ranks.size}: "
                "expected one launcher for all"
            )
        if member.library != self.library:
            return (
                f"on {member.node} would be joined by {member.library}, rank 0 by {self.library}: "
                "expected one environment for all, or --communicator to name one"
            )
        return f"has come twice (the second on {member.node}): expected each rank once"

    # Other ranks -------------------------------------------------------------------------------

    async def _join(self) -> Team:
        """Find rank 0, say who we are, and wait until it has seen everyone."""
        addresses(self.launch.network_interface)  # refuses an unknown interface
        try:
            async with asyncio.timeout(self.launch.launch_timeout + LATE_S):
                peer = await self._find_host()
                answer = await peer.receive()
        except TimeoutError as error:
            raise RunError(
                f"rank 0 of {self.ranks.size} has not come within "
                f"--launch_timeout={self.launch.launch_timeout} s"
            ) from error
        if answer is None or "team" not in answer:
            raise RunError((answer or {}).get("refused") or "rank 0 has ended before all had come")
        self.peers[0] = peer
        self.gathered = True
        self._start(self._listen(0, peer))
        self._start(self._beat())
        return Team(**answer["team"])

    async def _find_host(self) -> Peer:
        """Rank 0; what an earlier attempt has left does not answer, and is read again."""
        meeting = Meeting(self.folder, self.ranks)
        while True:
            facts = meeting.read() or {"addresses": []}
            for address in facts["addresses"]:
                peer = await self._greet(address, facts["port"], facts["secret"])
                if peer is not None:
                    peer.send(**asdict(self._member))
                    return peer
            await asyncio.sleep(POLL_S)

    async def _greet(self, address: str, port: int, secret: str) -> Peer | None:
        """Rank 0 where it listens there and proves that it knows the secret."""
        writer = None
        with contextlib.suppress(OSError, ValueError, TimeoutError):
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(address, port, limit=LONGEST_LINE)
            async with asyncio.timeout(GREETING_S):
                peer = await Peer.greet(reader, writer, secret, hosting=False)
                if await peer.receive() is not None:
                    return peer
        if writer is not None:
            writer.close()
        return None

    # All ranks ---------------------------------------------------------------------------------

    async def _beat(self) -> None:
        """Give signs of life, and count the beats without one of the others.

        Beats of our own are counted, not seconds, so that a job suspended as a whole goes on.
        """
        while self.peers:
            await asyncio.sleep(self.beat_s)
            if self.ranks.first:
                self._find_idle()
            for rank, peer in list(self.peers.items()):
                peer.send(beat=self.entered())
                peer.silent_beats += 1
                if peer.silent_beats * self.beat_s > self.launch.rank_timeout:
                    limit = f"--rank_timeout={self.launch.rank_timeout} s"
                    self._judge(Fate(rank, f"has given no sign of life for {limit}"))

    def _find_idle(self) -> None:
        """A rank that lives but takes no part: the others are a step ahead, and all stand still."""
        entered = {0: self.entered(), **{rank: p.entered for rank, p in self.peers.items()}}
        rank, least = min(entered.items(), key=lambda item: item[1])
        stands = self._still.beats(entered) * self.beat_s > self.launch.rank_timeout
        if stands and least < max(entered.values()):
            limit = f"--rank_timeout={self.launch.rank_timeout} s"
            self._judge(Fate(rank, f"has kept the others waiting for {limit}"))

    async def _listen(self, rank: int, peer: Peer) -> None:
        while (message := await peer.receive()) is not None:
            peer.entered = message.get("beat", peer.entered)
            if "fate" in message:
                self._judge(Fate(**message["fate"]))
            if "bye" in message:
                self.peers.pop(rank, None)
                if message["bye"] not in AGREED_CODES:
                    text = f"has failed: {message['reason']}"
                    self._judge(Fate(rank, text, message["bye"], sudden=False))
                return
        if rank in self.peers:
            self._judge(Fate(rank, "has ended without a word"))

    async def _say_goodbye(self, code: int, reason: str) -> None:
        if code == INTERRUPTED and not self.ranks.first:
            await self._let_first_leave()
        for peer in self.peers.values():
            peer.send(bye=code, reason=reason)
        await self._drain()
        self.peers.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _let_first_leave(self) -> None:
        """Launchers kill all ranks when one leaves with this code; rank 0 may still be writing."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                while 0 in self.peers:
                    await asyncio.sleep(POLL_S)

    def _judge(self, fate: Fate) -> None:
        """The first failure decides; before all have come, `gather` reports it."""
        if self.fate is None:
            self.fate = fate
            self._start(self._end(fate))

    async def _end(self, fate: Fate) -> None:
        """Tell the others, and end this process: its main thread may wait for the lost rank."""
        if self.ranks.first:
            for peer in self.peers.values():
                peer.send(fate=asdict(fate))
            await self._drain()
        self._told.set()
        if not self.gathered:
            return
        if not fate.sudden:
            await asyncio.sleep(GRACE_S)
        try:
            if self.ranks.first or fate.rank == 0:
                print(f"finescale: rank {self.ranks.rank}: {fate}", file=sys.stderr, flush=True)
            self.ending(str(fate))
            end_job_step(self.ranks)
        finally:
            os._exit(fate.code)

    def _raise_fate(self) -> None:
        if self.fate is not None:
            raise (InputError if self.fate.code == 2 else RunError)(str(self.fate))

    async def _drain(self) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(FORWARD_S):
                for peer in list(self.peers.values()):
                    await peer.writer.drain()


def _task_failed(_: asyncio.AbstractEventLoop, context: Json) -> None:
    """One line on what no caller takes; the watch's other tasks go on."""
    error = context.get("exception")
    text = one_line(error) if error is not None else context["message"]
    print(f"finescale: watch of the ranks: {text}", file=sys.stderr, flush=True)


def end_job_step(ranks: Ranks) -> None:
    """Let srun end: it waits for all tasks, also for one that is stopped and cannot end."""
    if ranks.launcher != "srun":
        return
    step = f"{os.environ['SLURM_JOB_ID']}.{os.environ['SLURM_STEP_ID']}"
    with contextlib.suppress(OSError):
        subprocess.Popen(
            ["scancel", "--quiet", "--signal=KILL", step],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
