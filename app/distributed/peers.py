"""What a rank knows of the others: their connection, their progress, and which of them failed."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from app.distributed.team import Member
from app.exit_codes import FAILED


@dataclass
class Peer:
    """Another rank, at the other end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    member: Member | None = None
    silent_beats: int = 0
    entered: int = 0

    def send(self, **message: Any) -> None:
        if not self.writer.is_closing():
            self.writer.write(json.dumps(message).encode() + b"\n")

    async def receive(self) -> dict[str, Any] | None:
        """The next message; None where the connection has ended or what came is none."""
        try:
            line = await self.reader.readline()
            message = json.loads(line) if line else None
        except (OSError, ValueError):
            return None
        self.silent_beats = 0
        return message if isinstance(message, dict) else None


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
