"""What came of one try to install, as a closed set, and how a try through wheelfs compares with the same try straight."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

if TYPE_CHECKING:
    from collections.abc import Sequence


class Cause(enum.Enum):
    """Why a client refused, by what it printed."""

    HASH = "hash"
    ABSENT = "absent"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Installed:
    """Exit code 0.  ``build`` is what the installed module says of itself: two builds of one version differ in it."""

    version: str
    build: str

    def __str__(self) -> str:
        return f"{self.version} ({self.build})"


@dataclass(frozen=True, slots=True)
class Refused:
    """The client said no.  ``said`` is the end of its standard error, for people; it is not compared."""

    cause: Cause
    said: str = ""

    def __str__(self) -> str:
        return f"refused: {self.cause.value}"


@dataclass(frozen=True, slots=True)
class Crashed:
    """The client ended with a traceback or a panic: it met something that it does not know as an error."""

    said: str = ""

    def __str__(self) -> str:
        return "crashed"


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The client had not ended at the runner's own bound."""

    def __str__(self) -> str:
        return "timed out"


Outcome = Installed | Refused | Crashed | TimedOut

_HASH = re.compile(r"do not match the hashes|hash mismatch|hash(?:es)? (?:do|does) not match", re.IGNORECASE)
_ABSENT = re.compile(
    r"no matching distribution found|was not found in the|there (?:is|are) no versions? of|there is no version of"
    r"|not found in the provided package locations|are not available|only the following versions|has no (?:wheels|usable wheels)"
    r"|were yanked|was yanked",
    re.IGNORECASE,
)


def refusal(stderr: str) -> Refused | Crashed:
    """Return what a client that failed has said.

    A hash is named before anything else: pip reports a mismatch and "no matching distribution" never together, uv wraps both.
    """
    said = stderr.strip()[-1500:]
    flat = " ".join(stderr.split())
    if "Traceback (most recent call last)" in stderr or re.search(r"^thread '.*panicked at", stderr, re.MULTILINE):
        return Crashed(said)
    if _HASH.search(flat):
        return Refused(Cause.HASH, said)
    return Refused(Cause.ABSENT if _ABSENT.search(flat) else Cause.ERROR, said)


@dataclass(frozen=True, slots=True)
class Same:
    """What straight does, or a refusal as good as straight's."""


@dataclass(frozen=True, slots=True)
class Documented:
    """Other than straight, as the habit says and gives the reason for."""


@dataclass(frozen=True, slots=True)
class Worse:
    """Less well than straight: ``what`` says how."""

    what: str


Verdict = Same | Documented | Worse


def judge(
    straight: Outcome, through: Outcome, *, instead: Outcome | None, also_right: Sequence[Outcome] = (), mute: bool = False
) -> Verdict:
    """Compare.  ``instead``: what is right through wheelfs where straight is not the measure; ``also_right``: what is as good.

    ``mute``: on this way the client cannot distinguish an error from an absence.
    """
    if any(_is_as_right(through, one, mute=mute) for one in also_right):
        return Documented()
    if instead is not None:
        return Documented() if _is_as_right(through, instead, mute=mute) else Worse(f"not {instead}")
    match straight, through:
        case Installed(), Installed():
            another = "build" if straight.version == through.version else "version"
            return Same() if straight == through else Worse(f"another {another}")
        case Installed(), _:
            return Worse("refused where straight installs")
        case _, Installed():
            return Worse("installed where straight refuses")
        case Refused(cause=Cause.HASH | Cause.ERROR), Refused(cause=Cause.ABSENT) if not mute:
            return Worse("an error has become an absence, after which clients ask their next index")
        case _, Refused():
            return Same()
        case _, Crashed():
            return Same() if isinstance(straight, Crashed) else Worse("crashed")
        case _, TimedOut():
            return Same() if isinstance(straight, TimedOut) else Worse("timed out")
        case _:
            assert_never(through)


def _is_as_right(through: Outcome, right: Outcome, *, mute: bool) -> bool:
    """A refusal is as right as another one, unless one of them says that there is nothing."""
    if isinstance(through, Refused) and isinstance(right, Refused):
        return mute or (through.cause is Cause.ABSENT) == (right.cause is Cause.ABSENT)
    return is_like(through, right)


def is_like(outcome: Outcome, expected: Outcome) -> bool:
    """Tell whether these are the same, texts of errors left out."""
    if isinstance(outcome, Refused) and isinstance(expected, Refused):
        return outcome.cause is expected.cause
    return type(outcome) is type(expected) and (not isinstance(outcome, Installed) or outcome == expected)
