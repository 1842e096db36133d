"""A habit of an index: what it does, why it matters, where it is reported, and what the clients make of it straight."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.world.outcomes import Cause, Crashed, Installed, Outcome, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.world.faces import Faces
    from tests.world.shop import Shop

GOOD = Installed("2.0", "good")
OLD = Installed("1.0", "good")
CRASH = Crashed()
HASH = Refused(Cause.HASH)
ABSENT = Refused(Cause.ABSENT)
ERROR = Refused(Cause.ERROR)


@dataclass(frozen=True, slots=True)
class Place:
    """One index of a habit: on which of its hosts, at which path, with which userinfo, and keys of its ``[[index]]`` table."""

    host: int = 0
    path: str = "/simple"
    userinfo: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Habit:
    """``set_up`` prepares the hosts; as a generator, each ``yield`` is a round of installs, and what follows it a change.

    ``pip`` and ``uv``: what they do straight, by round (the last one repeats): the oracle is compared with it, so that a habit
    that has become another one is noticed.  ``instead_pip``, ``instead_uv``: what is right through wheelfs where that is not
    what is right straight; ``also_right``: what is as good as that; with the reason in ``why``.  ``without``: ways through
    wheelfs that are not tried, with the reason.  ``also`` looks at more than installs and returns a complaint.  ``retries``: of
    both clients, where their few are too few.  ``alone``: it gets mounts of its own, whose indexes are tied to no names.
    ``quick``: it is part of every test run.
    """

    name: str
    because: str
    reported: str
    set_up: Callable[[Shop], Iterator[None] | None]
    pip: tuple[Outcome, ...] = (GOOD,)
    uv: tuple[Outcome, ...] = (GOOD,)
    instead_pip: tuple[Outcome, ...] = ()
    instead_uv: tuple[Outcome, ...] = ()
    also_right: tuple[Outcome, ...] = ()
    why: str = ""
    without: Mapping[str, str] = field(default_factory=dict)
    places: tuple[Place, ...] = (Place(),)
    hosts: int = 1
    requirement: str = ""
    pip_options: tuple[str, ...] = ()
    uv_options: tuple[str, ...] = ()
    also: Callable[[Faces], str | None] | None = None
    retries: int | None = None
    alone: bool = False
    quick: bool = False

    @property
    def project(self) -> str:
        """Its project is called after it, so that many habits share a mount."""
        return self.name.replace("_", "-")


REGISTRY: dict[str, Habit] = {}


def habit(
    because: str,
    reported: str,
    *,
    pip: Outcome | tuple[Outcome, ...] = GOOD,
    uv: Outcome | tuple[Outcome, ...] | None = None,
    instead: Outcome | tuple[Outcome, ...] = (),
    instead_pip: Outcome | tuple[Outcome, ...] = (),
    instead_uv: Outcome | tuple[Outcome, ...] = (),
    also_right: Outcome | tuple[Outcome, ...] = (),
    **more: Any,
) -> Callable[[Callable[[Shop], Iterator[None] | None]], Habit]:
    """Register the decorated function under its own name.  ``uv`` is as ``pip`` unless given; ``instead`` is for both."""

    def register(set_up: Callable[[Shop], Iterator[None] | None]) -> Habit:
        made = Habit(
            set_up.__name__,
            because,
            reported,
            set_up,
            pip=_rounds(pip),
            uv=_rounds(pip if uv is None else uv),
            instead_pip=_rounds(instead_pip or instead),
            instead_uv=_rounds(instead_uv or instead),
            also_right=_rounds(also_right),
            **more,
        )
        assert made.name not in REGISTRY, f"two habits are called {made.name}"
        assert made.why or not (made.instead_pip or made.instead_uv or made.also_right), (
            f"{made.name} differs from straight and says no reason"
        )
        REGISTRY[made.name] = made
        return made

    return register


def _rounds(value: Outcome | tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    return value if isinstance(value, tuple) else (value,)


def of_round(outcomes: tuple[Outcome, ...], number: int) -> Outcome | None:
    """Return the outcome of the round (from 0); the last one stands for all that follow."""
    return outcomes[min(number, len(outcomes) - 1)] if outcomes else None
