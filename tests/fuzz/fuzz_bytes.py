"""Files with some bytes changed, each looked at in a process of its own."""

import os
import resource
import signal
import traceback
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from app.errors import InputError

LIMIT_S = 20
MEMORY = 4 << 30  # bytes that a file of a few kilobytes may make the process reserve beyond its own
ODD_BYTES = (0, 1, 2, 0x7F, 0x80, 0xFF)


@st.composite
def changed(draw: st.DrawFn, content: bytes) -> bytes:
    """The bytes with one to four places changed, of which the first half kilobyte has most."""
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        near = draw(st.booleans())
        place = draw(st.integers(0, min(len(found), 512) - 1 if near else len(found) - 1))
        kind = draw(st.integers(0, 5))
        if kind <= 2:
            found[place] = draw(st.sampled_from(ODD_BYTES) | st.integers(0, 255))
        elif kind == 3:
            found[place : place + 4] = draw(st.binary(min_size=4, max_size=4))
        elif kind == 4:
            found[place : place + 8] = b"\xff" * len(found[place : place + 8])
        else:
            other = draw(st.integers(0, len(found) - 1))
            found[place : place + 16] = found[other : other + 16]
    return bytes(found)


def outcome(use: Callable[[], Any], memory: int = MEMORY) -> str:
    """What a use comes to in a child process: "read", "refused", or what is wrong.

    The latter is the name of a signal, as a library in C may die of, "no end", or a traceback.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        text = ""
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(LIMIT_S)
            with open("/proc/self/statm", encoding="ascii") as file:
                own = int(file.read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (own + memory, own + memory))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            use()
            text = "read"
        except InputError as refusal:
            text = "refused" if str(refusal).strip() else "a refusal without words"
        except BaseException:
            text = traceback.format_exc()
        finally:
            os.write(writing, text.encode("utf-8", "replace")[:60_000])
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        text = file.read().decode()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return "no end" if name == "SIGALRM" else name
    return text
