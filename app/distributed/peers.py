"""What a rank knows of the others: their connection, their progress, and which of them failed.

Both ends of a connection prove that they know the job's secret, without sending it: each sends a
number of its own, once used, and every line after these carries a code (HMAC) over its text, its
place in the sequence, the secret and both numbers. What passes is authentic, but not hidden.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from dataclasses import dataclass, field
from typing import Any, Self

from app.arrays import Json
from app.distributed.team import Member
from app.exit_codes import FAILED

NONCE_BYTES = 16
CODE_DIGITS = 64  # of SHA-256, before each line
LONGEST_LINE = 64 * 1024  # bytes; more ends the connection


@dataclass
class Peer:
    """Another rank, at the other end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    key: bytes
    hosting: bool  # whether this end is the first rank's
    member: Member | None = None
    silent_beats: int = 0
    entered: int = 0
    _count: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})

    @classmethod
    async def greet(
        cls,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        secret: str,
        *,
        hosting: bool,
    ) -> Self:
        """Exchange the numbers once used; ConnectionError where the other end does not.

        Whether it knows the secret shows in the first line that it sends.
        """
        own = secrets.token_hex(NONCE_BYTES)
        writer.write(f"{own}\n".encode())
        line = await reader.readline()
        if len(line) != 2 * NONCE_BYTES + 1 or not line.strip().isalnum():
            raise ConnectionError("not one of this program's ranks")
        other = line.strip().decode()
        nonces = f"{own}{other}" if hosting else f"{other}{own}"
        key = hmac.digest(secret.encode(), nonces.encode(), "sha256")
        return cls(reader, writer, key, hosting)

    def send(self, **message: Any) -> None:
        if not self.writer.is_closing():
            text = json.dumps(message)
            self.writer.write(f"{self._code(text, self.hosting)} {text}\n".encode())

    async def receive(self) -> Json | None:
        """The next message; None where the connection has ended or what came is none."""
        try:
            line = (await self.reader.readline()).decode()
            code, text = line[:CODE_DIGITS], line[CODE_DIGITS:].strip()
            known = hmac.compare_digest(code.encode(), self._code(text, not self.hosting).encode())
            message = json.loads(text) if known else None
        except (OSError, ValueError, RecursionError):
            return None
        self.silent_beats = 0
        return message if isinstance(message, dict) else None

    def _code(self, text: str, from_host: bool) -> str:
        """The code of the next line in one direction."""
        self._count[from_host] += 1
        signed = f"{from_host} {self._count[from_host]} {text}"
        return hmac.digest(self.key, signed.encode(), "sha256").hex()


class Stillness:
    """Counts for how many beats nothing has changed."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}
        self._count = 0

    def beats(self, now: dict[int, int]) -> int:
        self._count = self._count + 1 if now == self._last else 0
        self._last = now
        return self._count


@dataclass
class Fate:
    """Why the job must end: the rank that failed and what is known of it."""

    rank: int
    text: str
    code: int = FAILED
    sudden: bool = True

    def __str__(self) -> str:
        return f"rank {self.rank} {self.text}"
