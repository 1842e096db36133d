"""Counts that outlive the process that counted them."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelfs.frontends.http.scoreboard import NAME_BYTES, ROW_BYTES, ROWS, Scoreboard, made_board
from wheelfs.telemetry import Counters, CountsSoFar


def test_a_successor_counts_on_where_a_worker_ended_and_the_head_sees_both() -> None:
    with made_board() as board:
        head = Counters(Scoreboard(board))
        first, second = Counters(Scoreboard(board)), Counters(Scoreboard(board))
        for worker in (first, second):
            worker.count_reply(200, 1_000)
            worker.count_reply(404, 10)
            worker.count_error("request", "OriginUnreachable")
            worker.note_answering(True, 3)
        assert head.so_far() == second.so_far()
        assert head.so_far().replies == {200: 2, 404: 2}
        assert head.so_far().errors == {("request", "OriginUnreachable"): 2}
        assert (head.so_far().sent_bytes, head.so_far().answering, head.so_far().under_way) == (2_020, 1, 3)
        head.note_answering(False, 0)
        assert (head.so_far().sent_bytes, head.so_far().answering, head.so_far().under_way) == (2_020, 0, 0)


def test_processes_are_summed() -> None:
    one = CountsSoFar(requests=1, errors={("a", "b"): 1}, replies={200: 1}, sent_bytes=5, under_way=1)
    other = CountsSoFar(requests=2, errors={("a", "c"): 1}, replies={200: 1, 404: 1}, sent_bytes=6, answering=1)
    assert one + other == CountsSoFar(
        requests=3, errors={("a", "b"): 1, ("a", "c"): 1}, replies={200: 2, 404: 1}, sent_bytes=11, answering=1, under_way=1
    )


@given(st.integers(0, NAME_BYTES), st.integers(0, 3))
def test_a_name_that_was_cut_short_by_a_kill_is_no_count_and_takes_no_other_away(written: int, before: int) -> None:
    with made_board() as board:
        first = Scoreboard(board)
        for row in range(before):
            first.add(f"reply {200 + row}", 7)
        os.pwrite(board, b"error request OriginUnreachable".ljust(NAME_BYTES, b"\0")[:written], before * ROW_BYTES)
        second = Scoreboard(board)
        second.add("sent_bytes", 9)
        told = {f"reply {200 + row}": 7 for row in range(before)} | {"sent_bytes": 9}
        assert dict(second.items()) == dict(first.items()) == told


def test_a_full_board_is_a_bug_that_is_told() -> None:
    with made_board() as board:
        full = Scoreboard(board)
        for number in range(ROWS):
            full.add(str(number), 1)
        with pytest.raises(AssertionError, match="no place"):
            full.add("one more", 1)
        assert len(list(full.items())) == ROWS
