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
from wheelfs.service.hosts.breaker import SLOW_AFTER_S, Hosts
from wheelfs.telemetry import Counters

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from wheelfs.core.fetch.delta import Pace

URL = "http://127.0.0.1:1/simple"
OTHER = "http://127.0.0.1:2/files"


class Probe:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.alive = False

    async def __call__(self, url: str) -> None:
        self.asked.append(url)
        if not self.alive:
            raise OriginUnreachable("probe", "refused")


class NoPaces:
    def known(self, host: str) -> Pace | None:
        return None

    def keep(self, host: str, pace: Pace) -> None: ...


def hosts_with(probe: Probe, *, offline: bool = False, counters: Counters | None = None) -> Hosts:
    return Hosts(offline=offline, probe=probe, counters=counters or Counters(), paces=NoPaces())


def fail(hosts: Hosts, url: str = URL, error: Exception | None = None) -> None:
    with pytest.raises((OriginUnreachable, OriginTimeout)), hosts.asking("ask", url):
        raise error or OriginUnreachable("ask", "refused")


async def test_a_host_that_failed_is_not_asked_again_and_the_error_says_why() -> None:
    hosts = hosts_with(Probe())
    fail(hosts)
    assert not hosts.may_ask(URL)
    assert hosts.may_ask(OTHER)
    with pytest.raises(OriginUnreachable, match="is down: refused"), hosts.asking("ask", URL):
        pytest.fail("the request was let through")


async def test_a_time_out_counts_like_a_refusal() -> None:
    hosts = hosts_with(Probe())
    with pytest.raises(trio.TooSlowError), hosts.asking("ask", URL):
        raise trio.TooSlowError
    assert not hosts.may_ask(URL)


async def test_a_host_that_brings_something_to_others_is_busy_and_not_down(mock_clock: MockClock) -> None:
    hosts = hosts_with(Probe())
    for others_after_s, is_up in ((20.0, False), (29.0, True)):
        with pytest.raises(trio.TooSlowError), hosts.asking("ask", URL, silent_s=30.0):
            mock_clock.jump(others_after_s)
            hosts.saw_life(URL)
            mock_clock.jump(30.0 - others_after_s)
            raise trio.TooSlowError
        assert hosts.may_ask(URL) == is_up
        with pytest.raises(OriginUnreachable) if not is_up else nullcontext(), hosts.asking("ask", URL):
            pass
        hosts = hosts_with(Probe())


async def test_what_a_request_brought_itself_before_it_stalled_is_no_sign_of_life(mock_clock: MockClock) -> None:
    hosts = hosts_with(Probe())
    with pytest.raises(trio.TooSlowError), hosts.asking("ask", URL, silent_s=0.3):
        hosts.saw_life(URL)
        mock_clock.jump(0.3)
        raise trio.TooSlowError
    assert not hosts.may_ask(URL)


async def test_an_error_page_is_an_answer() -> None:
    hosts = hosts_with(Probe())
    with pytest.raises(OriginFault), hosts.asking("ask", URL):
        raise OriginFault("ask", "500")
    assert hosts.may_ask(URL)
    assert hosts.state(URL)[0] == "up"
    assert "500" in (hosts.state(URL)[2] or "")
    with hosts.asking("ask", URL):
        pass
    assert hosts.state(URL) == ("up", None, None), "it is well again"


async def test_of_two_file_systems_one_may_be_down() -> None:
    places = ["file:///lab/wheels", "file:///lab/wheels-2", "file:///lab/wheels/simple"]
    hosts = Hosts(offline=False, probe=Probe(), counters=Counters(), paces=NoPaces(), places=places)
    fail(hosts, "file:///lab/wheels#aa")
    assert [hosts.may_ask(place) for place in places] == [False, True, True]
    assert not hosts.may_ask("file:///lab/wheels/other")
    assert hosts.may_ask("file:///lab/wheels/simple/demo/index.html")
    assert hosts.may_ask("file:///elsewhere")
    with pytest.raises(OriginUnreachable, match="file:///lab/wheels is down"), hosts.asking("ask", "file:///lab/wheels"):
        pytest.fail("the request was let through")


async def test_offline_lets_nothing_through() -> None:
    hosts = hosts_with(Probe(), offline=True)
    assert not hosts.may_ask(URL)
    with pytest.raises(OriginUnreachable, match="--offline"), hosts.asking("ask", URL):
        pytest.fail("the request was let through")


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
        nursery.start_soon(hosts.probe_for_ever)
        await trio.sleep(FIRST_PAUSE_S + 0.5)
        nursery.cancel_scope.cancel()
    assert counters.so_far().requests == 1 + len(probe.asked) > 1


async def test_a_dead_host_is_probed_with_growing_pauses_and_comes_back_by_itself(autojump_clock: MockClock) -> None:
    probe = Probe()
    hosts = hosts_with(probe)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hosts.probe_for_ever)
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
        nursery.start_soon(hosts.probe_for_ever)
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
    with hosts.asking("ask", URL):
        assert hosts.is_prompt(URL)
        await trio.sleep(SLOW_AFTER_S)
        assert not hosts.is_prompt(URL)
    assert hosts.is_prompt(URL)


async def test_a_host_that_keeps_answering_stays_prompt_however_many_questions_are_open(autojump_clock: MockClock) -> None:
    hosts = hosts_with(Probe())
    with hosts.asking("ask one thing after the other", URL):
        await trio.sleep(SLOW_AFTER_S)
        assert not hosts.is_prompt(URL)
        with hosts.asking("ask another", URL):
            pass
        assert hosts.is_prompt(URL)


async def test_credentials_in_an_address_do_not_reach_messages() -> None:
    hosts = hosts_with(Probe())
    secret = "http://user:hunter2@127.0.0.1:1/simple"
    fail(hosts, secret)
    with pytest.raises(OriginUnreachable) as caught, hosts.asking("ask", secret):
        pass
    assert "hunter2" not in str(caught.value)


async def test_a_host_is_probed_by_the_client_of_its_own_address(tmp_path: Path, autojump_clock: MockClock) -> None:
    places = ["http://lab.example:80", "http://lab.example:8080", "http://lab.example:8080/below"]
    shares = [MemoryShare(f"share{number}") for number in range(3)]
    for share, place in zip(shares, places, strict=True):
        share.url = share.origin.url = place
    async with service(tmp_path / "s", [MemoryOrigin()], shares=shares) as one:
        with pytest.raises(OriginUnreachable), one.node.supply.hosts.asking("ask", f"{places[1]}/-/file"):
            raise OriginUnreachable("ask", "refused")
        await trio.sleep(FIRST_PAUSE_S + 1)
    assert [share.origin.requests["head"] for share in shares] == [0, 1, 0]
