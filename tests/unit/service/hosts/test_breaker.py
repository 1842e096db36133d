"""Hosts: fail fast while down, come back by themselves, and say so; under a virtual clock."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
import trio

from tests.fakes.origins import MemoryOrigin, MemoryShare
from tests.fakes.services import service
from wheelfs.core.fetch.breaker import FIRST_PAUSE_S
from wheelfs.errors import OriginFault, OriginTimeout, OriginUnreachable
from wheelfs.service.hosts.breaker import Hosts
from wheelfs.service.hosts.limits import HOST_LIMITS
from wheelfs.telemetry import Counters

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from wheelfs.core.fetch.rate import RateEstimate

URL = "http://127.0.0.1:1/simple"
OTHER = "http://127.0.0.1:2/files"
BOUND_S = 15.0


class Probe:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.alive = False

    async def __call__(self, url: str) -> None:
        self.asked.append(url)
        if not self.alive:
            raise OriginUnreachable("probe", "refused")


class NoRates:
    def load(self, host: str) -> RateEstimate | None:
        return None

    def save(self, host: str, rate: RateEstimate) -> None: ...


def hosts_with(probe: Probe, *, offline: bool = False, counters: Counters | None = None) -> Hosts:
    return Hosts(offline=offline, probe=probe, probe_timeout_s=BOUND_S, counters=counters or Counters(), rates=NoRates())


def fail(hosts: Hosts, url: str = URL, error: Exception | None = None) -> None:
    with pytest.raises((OriginUnreachable, OriginTimeout)), hosts.request("ask", url, timeout_s=BOUND_S):
        raise error or OriginUnreachable("ask", "refused")


async def test_a_host_that_failed_is_not_asked_again_and_the_error_says_why() -> None:
    hosts = hosts_with(Probe())
    fail(hosts)
    assert not hosts.may_ask(URL)
    assert hosts.may_ask(OTHER)
    with pytest.raises(OriginUnreachable, match="is down: refused"), hosts.request("ask", URL, timeout_s=BOUND_S):
        pytest.fail("the request was let through")


async def test_a_request_that_takes_too_long_is_ended_and_counts_like_a_refusal(autojump_clock: MockClock) -> None:
    hosts = hosts_with(Probe())
    with pytest.raises(OriginTimeout, match=r"ask: no answer within 15 s"), hosts.request("ask", URL, timeout_s=BOUND_S):
        await trio.sleep_forever()
    assert trio.current_time() == pytest.approx(BOUND_S)
    assert not hosts.may_ask(URL)


async def test_a_stream_moves_its_deadline_and_says_itself_what_its_silence_means(autojump_clock: MockClock) -> None:
    hosts = hosts_with(Probe())
    stalled = OriginTimeout("fetch", "no progress within 15 s")
    with (
        pytest.raises(OriginTimeout, match="no progress"),
        hosts.request("fetch", URL, timeout_s=BOUND_S, on_timeout=stalled) as scope,
    ):
        await trio.sleep(BOUND_S - 1)
        scope.deadline = trio.current_time() + BOUND_S
        await trio.sleep_forever()
    assert trio.current_time() == pytest.approx(2 * BOUND_S - 1)


async def test_what_is_cancelled_from_outside_says_nothing_of_the_host(autojump_clock: MockClock) -> None:
    hosts = hosts_with(Probe())
    with trio.move_on_after(1), hosts.request("ask", URL, timeout_s=BOUND_S):
        await trio.sleep_forever()
    assert hosts.may_ask(URL)
    assert hosts.state(URL) == ("unknown", None, None)


async def test_a_probe_that_hangs_is_given_up_and_tried_again(autojump_clock: MockClock) -> None:
    class Hanging(Probe):
        async def __call__(self, url: str) -> None:
            self.asked.append(url)
            if not self.alive:
                await trio.sleep_forever()

    probe = Hanging()
    hosts = hosts_with(probe)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hosts.keep_probing)
        fail(hosts)
        await trio.sleep(FIRST_PAUSE_S + BOUND_S + 1)
        assert "no answer within 15 s" in (hosts.state(URL)[2] or "")
        probe.alive = True
        await trio.sleep(60)
        assert hosts.may_ask(URL)
        nursery.cancel_scope.cancel()


async def test_a_host_that_brings_something_to_others_is_busy_and_not_down(mock_clock: MockClock) -> None:
    hosts = hosts_with(Probe())
    for others_after_s, is_up in ((20.0, False), (29.0, True)):
        with pytest.raises(OriginTimeout), hosts.request("ask", URL, timeout_s=30.0, silence_s=30.0):
            mock_clock.jump(others_after_s)
            hosts.saw_progress(URL)
            mock_clock.jump(30.0 - others_after_s)
            await trio.sleep_forever()
        assert hosts.may_ask(URL) == is_up
        with pytest.raises(OriginUnreachable) if not is_up else nullcontext(), hosts.request("ask", URL, timeout_s=BOUND_S):
            pass
        hosts = hosts_with(Probe())


async def test_what_a_request_brought_itself_before_it_stalled_is_no_sign_of_life(mock_clock: MockClock) -> None:
    hosts = hosts_with(Probe())
    with pytest.raises(OriginTimeout), hosts.request("ask", URL, timeout_s=0.3, silence_s=0.3):
        hosts.saw_progress(URL)
        mock_clock.jump(0.3)
        await trio.sleep_forever()
    assert not hosts.may_ask(URL)


async def test_an_error_page_is_an_answer() -> None:
    hosts = hosts_with(Probe())
    with pytest.raises(OriginFault), hosts.request("ask", URL, timeout_s=BOUND_S):
        raise OriginFault("ask", "500")
    assert hosts.may_ask(URL)
    assert hosts.state(URL)[0] == "up"
    assert "500" in (hosts.state(URL)[2] or "")
    with hosts.request("ask", URL, timeout_s=BOUND_S):
        pass
    assert hosts.state(URL) == ("up", None, None), "it is well again"


async def test_of_two_file_systems_one_may_be_down() -> None:
    places = ["file:///lab/wheels", "file:///lab/wheels-2", "file:///lab/wheels/simple"]
    hosts = Hosts(offline=False, probe=Probe(), probe_timeout_s=BOUND_S, counters=Counters(), rates=NoRates(), file_urls=places)
    fail(hosts, "file:///lab/wheels#aa")
    assert [hosts.may_ask(place) for place in places] == [False, True, True]
    assert not hosts.may_ask("file:///lab/wheels/other")
    assert hosts.may_ask("file:///lab/wheels/simple/demo/index.html")
    assert hosts.may_ask("file:///elsewhere")
    with (
        pytest.raises(OriginUnreachable, match="file:///lab/wheels is down"),
        hosts.request("ask", "file:///lab/wheels", timeout_s=BOUND_S),
    ):
        pytest.fail("the request was let through")


async def test_offline_lets_nothing_through() -> None:
    hosts = hosts_with(Probe(), offline=True)
    assert not hosts.may_ask(URL)
    with pytest.raises(OriginUnreachable, match="--offline"), hosts.request("ask", URL, timeout_s=BOUND_S):
        pytest.fail("the request was let through")


async def test_offline_forbids_the_network_and_no_directory() -> None:
    hosts = hosts_with(Probe(), offline=True)
    assert hosts.may_ask("file:///lab/wheels")
    assert not hosts.may_ask("s3://bucket/wheels")
    with hosts.request("ask", "file:///lab/wheels", timeout_s=BOUND_S):
        pass
    assert hosts.state("file:///lab/wheels")[0] == "up"


async def test_what_is_let_through_and_probes_are_counted_and_what_is_refused_is_not(autojump_clock: MockClock) -> None:
    counters = Counters()
    hosts = hosts_with(Probe(), offline=True, counters=counters)
    fail(hosts)
    assert counters.so_far().requests == 0
    probe = Probe()
    hosts = hosts_with(probe, counters=counters)
    fail(hosts)
    fail(hosts)
    assert counters.so_far().requests == 1
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hosts.keep_probing)
        await trio.sleep(FIRST_PAUSE_S + 0.5)
        nursery.cancel_scope.cancel()
    assert counters.so_far().requests == 1 + len(probe.asked) > 1


async def test_a_dead_host_is_probed_with_growing_pauses_and_comes_back_by_itself(autojump_clock: MockClock) -> None:
    probe = Probe()
    hosts = hosts_with(probe)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hosts.keep_probing)
        fail(hosts)
        epoch = hosts.epoch
        await trio.sleep(FIRST_PAUSE_S + 4 + 8 + 1)
        assert len(probe.asked) == 3
        assert not hosts.may_ask(URL)
        probe.alive = True
        await trio.sleep(17)
        assert hosts.may_ask(URL)
        assert hosts.epoch == epoch + 1
        assert hosts.state(URL)[0] == "up"
        nursery.cancel_scope.cancel()


async def test_demand_brings_the_probe_forward(autojump_clock: MockClock) -> None:
    probe = Probe()
    hosts = hosts_with(probe)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hosts.keep_probing)
        fail(hosts)
        await trio.sleep(300)
        probe.alive = True
        asked = len(probe.asked)
        fail(hosts)
        await trio.sleep(FIRST_PAUSE_S + 0.5)
        assert hosts.may_ask(URL)
        assert len(probe.asked) == asked + 1
        nursery.cancel_scope.cancel()


async def test_a_host_with_an_old_open_question_is_not_prompt(autojump_clock: MockClock) -> None:
    hosts = hosts_with(Probe())
    with hosts.request("ask", URL, timeout_s=BOUND_S):
        assert hosts.is_responsive(URL)
        await trio.sleep(HOST_LIMITS.slow_after_s)
        assert not hosts.is_responsive(URL)
    assert hosts.is_responsive(URL)


async def test_a_host_that_keeps_answering_stays_prompt_however_many_questions_are_open(autojump_clock: MockClock) -> None:
    hosts = hosts_with(Probe())
    with hosts.request("ask one thing after the other", URL, timeout_s=BOUND_S):
        await trio.sleep(HOST_LIMITS.slow_after_s)
        assert not hosts.is_responsive(URL)
        with hosts.request("ask another", URL, timeout_s=BOUND_S):
            pass
        assert hosts.is_responsive(URL)


async def test_credentials_in_an_address_do_not_reach_messages() -> None:
    hosts = hosts_with(Probe())
    secret = "http://user:hunter2@127.0.0.1:1/simple"
    fail(hosts, secret)
    with pytest.raises(OriginUnreachable) as caught, hosts.request("ask", secret, timeout_s=BOUND_S):
        pass
    assert "hunter2" not in str(caught.value)


async def test_a_host_is_probed_by_the_client_of_its_own_address(tmp_path: Path, autojump_clock: MockClock) -> None:
    places = ["http://lab.example:80", "http://lab.example:8080", "http://lab.example:8080/below"]
    shares = [MemoryShare(f"share{number}") for number in range(3)]
    for share, place in zip(shares, places, strict=True):
        share.url = share.origin.url = place
    async with service(tmp_path / "s", [MemoryOrigin()], shares=shares) as one:
        with pytest.raises(OriginUnreachable), one.node.hosts.request("ask", f"{places[1]}/-/file", timeout_s=1.0):
            raise OriginUnreachable("ask", "refused")
        await trio.sleep(FIRST_PAUSE_S + 1)
    assert [share.origin.requests["head"] for share in shares] == [0, 1, 0]


async def test_two_indexes_on_one_host_have_errors_of_their_own_and_are_down_together() -> None:
    hosts = hosts_with(Probe())
    one, other, file = f"{URL}/one", f"{URL}/other", f"{URL}/files/demo.whl"
    with pytest.raises(OriginFault), hosts.request("ask", one, timeout_s=BOUND_S, index_url=one):
        raise OriginFault("ask", "it refuses")
    assert hosts.state(one) == ("up", None, "ask: it refuses")
    assert hosts.state(other) == ("unknown", None, None)
    with hosts.request("ask", other, timeout_s=BOUND_S, index_url=other):
        pass
    assert hosts.state(other) == ("up", None, None)
    assert hosts.state(one)[2] == "ask: it refuses"
    with hosts.request("fetch", file, timeout_s=BOUND_S, index_url=one):
        pass
    assert hosts.state(one) == ("up", None, None)
    fail(hosts, one)
    assert [hosts.state(index)[0] for index in (one, other)] == ["down", "down"]
