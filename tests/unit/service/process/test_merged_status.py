"""Reports of several processes are joined into one that is true of all."""

from __future__ import annotations

from wheelfs.reports.status import Counters, OriginState, Status, WithheldFiles, withheld_sentence
from wheelfs.service.process.merged_status import merged


def status(*origins: OriginState, **fields: object) -> Status:
    return Status(version="1", store="/store", origins=origins, **fields)  # type: ignore[arg-type]


IDLE = status(OriginState(name="configured", url="https://index.example/simple"))


def test_with_no_process_running_the_configured_indexes_are_told() -> None:
    assert merged(IDLE, []) == IDLE


def test_the_indexes_of_running_processes_are_told_and_no_other() -> None:
    running = status(OriginState(name="lab", url="https://lab.example/simple", state="up"))
    assert merged(IDLE, [running]).origins == running.origins


def test_trouble_counts_more_than_none_and_a_meeting_more_than_no_meeting() -> None:
    states = [status(OriginState(name="lab", url="u", state=state)) for state in ("up", "unknown", "down")]
    assert merged(IDLE, states[:2]).origins[0].state == "up"
    assert merged(IDLE, reversed(states)).origins[0].state == "down"


def test_a_gateway_that_is_index_and_share_under_one_name_is_told_of_as_both() -> None:
    index = OriginState(name="head", url="http://head:8080/simple")
    both = [index, OriginState(name="head", url="http://head:8080", kind="share")]
    assert merged(IDLE, [status(*both), status(*both)]).origins == tuple(both)


def test_counters_are_added_up() -> None:
    one = status(
        counters=Counters(
            requests=1,
            fetched_bytes=2,
            saved_bytes=3,
            needed_bytes=5,
            delta_saved_bytes=1,
            errors=4,
            errors_by={"open OriginTimeout": 4},
        )
    )
    joined = merged(IDLE, [one, one], silent=[7])
    assert joined.counters == Counters(
        requests=2,
        fetched_bytes=4,
        saved_bytes=6,
        needed_bytes=10,
        delta_saved_bytes=2,
        errors=8,
        errors_by={"open OriginTimeout": 8},
    )
    assert joined.silent == (7,)


def test_of_what_is_withheld_the_process_that_has_counted_most_is_believed() -> None:
    some, more = (WithheldFiles(files=number, projects=1, silent=number, remedy="--no-index") for number in (1, 2))
    joined = merged(IDLE, [status(withheld=some), status(withheld=more), status()])
    assert joined.withheld == more
    assert withheld_sentence(more) == (
        "2 files of 1 project not shown, since only shares name them "
        "(2: an index in charge of the name has not answered); to show: --no-index"
    )
