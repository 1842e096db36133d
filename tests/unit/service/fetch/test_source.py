"""In which order the sources of a file are asked."""

from __future__ import annotations

import pytest

from tests.fakes.origins import MemoryOrigin, MemoryShare
from wheelfs.errors import OriginUnreachable
from wheelfs.model.links import FileLink
from wheelfs.model.names import ProjectName
from wheelfs.service.fetch.source import Sources
from wheelfs.service.file_refs import FileRef
from wheelfs.service.hosts.breaker import Hosts
from wheelfs.telemetry import Counters

INDEX = MemoryOrigin()
SHARES = [MemoryShare("lab0"), MemoryShare("lab1")]
URL = "https://files.corp.example/demo-1.0-py3-none-any.whl"


class NoRates:
    def load(self, host: str) -> None: ...

    def save(self, host: str, rate: object) -> None: ...


@pytest.fixture
def hosts() -> Hosts:
    async def probe(url: str) -> None: ...

    return Hosts(offline=False, probe=probe, probe_timeout_s=1.0, counters=Counters(), rates=NoRates())


@pytest.fixture
def sources(hosts: Hosts) -> Sources:
    return Sources(origins={INDEX.name: INDEX}, shares=SHARES, hosts=hosts)


def ref(*, hashed: bool = True, origin: str = INDEX.name, url: str = URL) -> FileRef:
    sha256 = b"\1" * 32 if hashed else None
    return FileRef(ProjectName("demo"), origin, FileLink("demo-1.0-py3-none-any.whl", url, sha256=sha256))


def fail(hosts: Hosts, url: str) -> None:
    with pytest.raises(OriginUnreachable), hosts.request("ask", url, timeout_s=1.0):
        raise OriginUnreachable("ask", "refused")


async def test_shares_come_in_their_order_and_then_the_index(sources: Sources) -> None:
    assert [source.share for source in sources.of(ref())] == ["lab0", "lab1", None]


async def test_what_shares_cannot_know_by_a_hash_is_asked_of_the_index_alone(sources: Sources) -> None:
    assert [source.share for source in sources.of(ref(hashed=False))] == [None]
    assert [source.share for source in sources.of(ref(), past_shares=True)] == [None]


async def test_slow_shares_come_after_the_index_and_those_that_do_not_serve_it_not_at_all(sources: Sources, hosts: Hosts) -> None:
    assert [source.share for source in sources.of(ref(), slow=["lab0"])] == ["lab1", None, "lab0"]
    assert [source.share for source in sources.of(ref(), without=["lab1"])] == ["lab0", None]
    hosts.deprioritize(SHARES[1].url)
    assert [source.share for source in sources.of(ref())] == ["lab0", None, "lab1"]
    with hosts.request("ask", SHARES[1].url, timeout_s=1.0):
        pass
    assert [source.share for source in sources.of(ref())] == ["lab0", "lab1", None]


async def test_a_share_that_is_down_is_left_out_and_an_index_that_is_down_comes_last(sources: Sources, hosts: Hosts) -> None:
    fail(hosts, SHARES[0].url)
    fail(hosts, URL)
    assert [source.share for source in sources.of(ref(), slow=["lab1"])] == ["lab1", None]


async def test_a_file_of_an_index_that_is_not_configured_comes_from_shares_or_not_at_all(sources: Sources) -> None:
    gone = ref(origin="gone")
    assert [source.share for source in sources.of(gone)] == ["lab0", "lab1"]
    with pytest.raises(OriginUnreachable, match="'gone', which is not configured"):
        sources.of(gone, without=["lab0", "lab1"])
    assert not sources.has_index(gone)
    assert not sources.has_index(ref(url=""))
    assert sources.has_index(ref())
