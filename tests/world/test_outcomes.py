"""The judge: it must see what is worse, and nothing else."""

from __future__ import annotations

import pytest

from tests.world.all_habits import HABITS
from tests.world.outcomes import (
    Cause,
    Crashed,
    Documented,
    Installed,
    Outcome,
    Refused,
    Same,
    TimedOut,
    Verdict,
    Worse,
    judge,
    refusal,
)
from tests.world.running import MAX_INDEXES, batches

GOOD, OTHER, OLD = Installed("2.0", "good"), Installed("2.0", "other"), Installed("1.0", "good")
HASH, ABSENT, ERROR = (Refused(cause) for cause in (Cause.HASH, Cause.ABSENT, Cause.ERROR))


@pytest.mark.parametrize(
    ("straight", "through", "verdict"),
    [
        (GOOD, GOOD, Same()),
        (GOOD, OTHER, Worse("another build")),
        (GOOD, OLD, Worse("another version")),
        (GOOD, ERROR, Worse("refused where straight installs")),
        (GOOD, TimedOut(), Worse("refused where straight installs")),
        (HASH, ERROR, Same()),
        (HASH, GOOD, Worse("installed where straight refuses")),
        (ERROR, ABSENT, Worse("an error has become an absence, after which clients ask their next index")),
        (ABSENT, ERROR, Same()),
        (ABSENT, ABSENT, Same()),
        (ERROR, Crashed(), Worse("crashed")),
        (Crashed(), Crashed(), Same()),
        (Crashed(), ERROR, Same()),
        (ERROR, TimedOut(), Worse("timed out")),
    ],
)
def test_what_is_worse_than_straight(straight: Outcome, through: Outcome, verdict: Verdict) -> None:
    assert judge(straight, through, instead=None) == verdict


def test_absence_will_do_where_a_client_cannot_distinguish_it() -> None:
    assert judge(ERROR, ABSENT, instead=None, mute=True) == Same()
    assert judge(HASH, GOOD, instead=None, mute=True) == Worse("installed where straight refuses")


def test_what_a_habit_documents_is_the_measure() -> None:
    assert judge(ABSENT, ERROR, instead=ERROR) == Documented()
    assert judge(ABSENT, HASH, instead=ERROR) == Documented()
    assert judge(ABSENT, ABSENT, instead=ERROR) == Worse(f"not {ERROR}")
    assert judge(ERROR, GOOD, instead=None, also_right=[GOOD]) == Documented()
    assert judge(ERROR, OLD, instead=None, also_right=[GOOD]) == Worse("installed where straight refuses")


@pytest.mark.parametrize(
    ("stderr", "cause"),
    [
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", Cause.HASH),
        ("error: Failed to download\n  cause: Hash mismatch for `demo==2.0`", Cause.HASH),
        ("ERROR: No matching distribution found for demo", Cause.ABSENT),
        ("cause: Because demo was not found in the\n package registry and you require demo", Cause.ABSENT),
        ("cause: Because there are no versions of demo", Cause.ABSENT),
        ("ERROR: HTTP error 404 while getting http://index.example/demo.whl", Cause.ERROR),
    ],
)
def test_why_a_client_refuses_is_read_from_what_it_says(stderr: str, cause: Cause) -> None:
    assert refusal(stderr) == Refused(cause, stderr)


@pytest.mark.parametrize(
    "stderr",
    ["Traceback (most recent call last):\n  File x\nKeyError: 1", "thread 'main2' (21) panicked at crates/x.rs:1:2:\nno"],
)
def test_a_traceback_and_a_panic_are_no_refusals(stderr: str) -> None:
    assert isinstance(refusal(stderr), Crashed)


def test_batches_hold_every_habit_once_and_no_more_indexes_than_a_configuration_may_have() -> None:
    made = list(batches(HABITS))
    assert [one.name for batch in made for one in batch] == [one.name for one in HABITS]
    assert all(sum(len(one.places) for one in batch) <= MAX_INDEXES for batch in made)
