"""What became of a killed run, and the table of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.system.faults.kills import Kill

AGREED = 3  # exit code of a run that was asked to stop
HEADER = (
    f"{'':>4}  {'launcher':<11}{'phase':<11}{'signal':<9}{'target':<9}{'code':>5}  "
    f"{'state':<12}{'again':>5}  verdict"
)


@dataclass(frozen=True)
class Outcome:
    """Of one kill; `code` and `again` are None where a command did not end in time."""

    kill: Kill
    code: int | None  # of the killed command
    state: str  # that it left in status.json
    again: int | None  # of the same command
    differs: tuple[str, ...] = ()  # results that are not those of an undisturbed run
    left: tuple[str, ...] = ()  # files that an undisturbed run does not leave
    seconds: float = 0.0
    hit: bool = True  # whether the command still ran when it was killed

    @property
    def hung(self) -> bool:
        return self.code is None or self.again is None

    @property
    def lost(self) -> bool:
        return not self.hung and (self.again != 0 or bool(self.differs))

    @property
    def rude(self) -> bool:
        """Whether a single process that was asked to stop ended in another way than promised."""
        asked = self.kill.signal != "SIGKILL" and self.kill.launcher == "none" and self.hit
        alone = asked and self.kill.phase != "sweep"
        return alone and (self.code, self.state) not in ((AGREED, "interrupted"), (0, "finished"))

    @property
    def good(self) -> bool:
        return not (self.hung or self.lost or self.left or self.rude)

    @property
    def verdict(self) -> str:
        words = {
            "HUNG": self.hung,
            f"LOST {' '.join(self.differs)}": self.lost,
            f"LEFT {' '.join(self.left)}": bool(self.left),
            "NOT AS ASKED": self.rude,
        }
        return "  ".join(word for word, holds in words.items() if holds) or "good"

    def line(self) -> str:
        kill = self.kill
        late = "" if self.hit else "  (came too late)"
        whole = "  (all stages)" if kill.whole else ""
        return (
            f"{kill.number:>4}  {kill.launcher:<11}{kill.phase:<11}{kill.signal:<9}"
            f"{kill.target:<9}{self.code!s:>5}  {self.state:<12}{self.again!s:>5}  "
            f"{self.verdict}{late}{whole}"
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Outcome:
        content |= {name: tuple(content[name]) for name in ("differs", "left")}
        return cls(**{**content, "kill": Kill(**content["kill"])})


def table(outcomes: Sequence[Outcome]) -> str:
    """Counts over all, and by launcher, phase, signal and target."""
    lines = [_row("", ("kills", "hit", "good", "lost", "hung", "files left", "not as asked"))]
    for what in ("launcher", "phase", "signal", "target"):
        names = dict.fromkeys(getattr(one.kill, what) for one in outcomes)
        lines += [
            _row(name, _counts([one for one in outcomes if getattr(one.kill, what) == name]))
            for name in sorted(names)
        ]
    return "\n".join([*lines, _row("all", _counts(outcomes))])


def _counts(outcomes: Sequence[Outcome]) -> list[int]:
    found = Counter[str]()
    for one in outcomes:
        found.update(name for name in ("hit", "good", "lost", "hung", "rude") if getattr(one, name))
        found["left"] += bool(one.left)
    names = ("hit", "good", "lost", "hung", "left", "rude")
    return [len(outcomes), *(found[name] for name in names)]


def _row(name: str, cells: Sequence[object]) -> str:
    return f"{name:<12}" + "".join(f"{cell!s:>14}" for cell in cells)
