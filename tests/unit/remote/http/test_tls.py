"""How an index is reached: certificates, proxies, and passwords from the keyring."""

from __future__ import annotations

import os
import ssl
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import trio
import trustme

from tests.fakes.index import FakeIndex
from tests.fakes.keyrings import FakeKeyring
from tests.fakes.proxy import FakeProxy
from tests.unit.remote.index.asking import CONTENT, DEMO, WHEEL
from wheelfs.core.http.ranges import Whole
from wheelfs.errors import OriginDenied, OriginFault, OriginUnreachable, UsageError
from wheelfs.remote.http.relay import Relay
from wheelfs.remote.http.tls import Access, trust
from wheelfs.remote.index.http import HttpIndex
from wheelfs.remote.limits import HttpLimits
from wheelfs.remote.origin import PageFound

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PATIENT = HttpLimits(read_timeout_s=5.0)
ELSEWHERE = "http://127.0.0.2:1/simple"
"""Nothing listens there; no proxy is passed by, since that is done for 127.0.0.1 alone."""


@asynccontextmanager
async def reached(url: str, access: Access, limits: HttpLimits = PATIENT, /, **environ: str) -> AsyncIterator[HttpIndex]:
    client = HttpIndex("lab", url, {"PATH": "/nonexistent", **environ}, access=access, limits=limits)
    try:
        with trio.fail_after(20):
            yield client
    finally:
        await client.aclose()


# --- certificates -------------------------------------------------------------------------------------------------------


REFUSED = "TLS failed|connection broke"
"""A server may say why it hangs up, or only hang up."""


def guarded(authority: trustme.CA) -> FakeIndex:
    """Return an index that talks to no client without a certificate of ``authority``."""
    index = FakeIndex(tls=True)
    index.add(WHEEL, CONTENT)
    assert index.tls_context is not None
    authority.configure_trust(index.tls_context)
    index.tls_context.verify_mode = ssl.CERT_REQUIRED
    return index


async def test_a_client_certificate_opens_its_own_index_and_is_shown_to_no_other_host(tmp_path: Path) -> None:
    authority = trustme.CA()
    mine = tmp_path / "mine.pem"
    authority.issue_cert("me@lab.example").private_key_and_cert_chain_pem.write_to_path(str(mine))
    with guarded(authority) as index, guarded(authority) as elsewhere:
        both = tmp_path / "both.pem"
        both.write_bytes((index.ca_pem or b"") + (elsewhere.ca_pem or b""))
        async with reached(index.url, Access(ca=str(both))) as client:
            with pytest.raises(OriginFault, match=REFUSED):
                await client.project_page(DEMO)
        async with reached(index.url, Access(ca=str(both), client_cert=str(mine))) as client:
            assert isinstance(await client.project_page(DEMO), PageFound)
            with pytest.raises(OriginFault, match=REFUSED):
                async with client.open_range(elsewhere.file_url(WHEEL), Whole()):
                    pass
    assert elsewhere.requests == []


async def test_the_indexs_own_bundle_goes_before_the_environments(tmp_path: Path) -> None:
    with FakeIndex(tls=True) as index:
        index.add(WHEEL, CONTENT)
        assert index.ca_pem is not None
        (tmp_path / "ca.pem").write_bytes(index.ca_pem)
        trustme.CA().cert_pem.write_to_path(str(tmp_path / "another.pem"))
        environ = {"SSL_CERT_FILE": str(tmp_path / "another.pem")}
        async with reached(index.url, Access(ca=str(tmp_path / "ca.pem")), **environ) as client:
            assert isinstance(await client.project_page(DEMO), PageFound)
        async with reached(index.url, Access(), **environ) as client:
            with pytest.raises(OriginFault, match="TLS failed"):
                await client.project_page(DEMO)


@pytest.mark.parametrize("text", [None, "no PEM at all"])
def test_a_certificate_that_cannot_be_used_is_a_usage_error(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "mine.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=r"mine\.pem"):
        HttpIndex("lab", "https://index.example/simple", {}, access=Access(client_cert=str(path)))


# --- proxies ------------------------------------------------------------------------------------------------------------


async def test_the_indexs_own_proxy_is_asked_for_pages_and_files_and_gets_its_own_password() -> None:
    with FakeProxy() as proxy:
        proxy.add(WHEEL, CONTENT)
        access = Access(proxy=proxy.origin.replace("://", "://me:hunter2@"))
        async with reached(ELSEWHERE, access) as client:
            found = await client.project_page(DEMO)
            assert isinstance(found, PageFound)
            async with client.open_range(found.page.files[0].url, Whole()) as reply:
                assert b"".join([piece async for piece in reply.chunks]) == CONTENT
        assert all(target.startswith("http://127.0.0.2:1/") for target in proxy.asked_for)
        assert len(proxy.asked_for) == 2
        assert all("proxy-authorization" in request.headers for request in proxy.requests)
        assert not [request for request in proxy.requests if "authorization" in request.headers]
    assert "hunter2" not in repr(access)


async def test_the_environments_proxies_are_asked_but_for_what_it_excepts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with FakeProxy() as proxy:
        proxy.add(WHEEL, CONTENT)
        monkeypatch.setenv("HTTP_PROXY", proxy.origin)
        async with reached(ELSEWHERE, Access()) as client:
            assert isinstance(await client.project_page(DEMO), PageFound)
        asked = len(proxy.asked_for)
        monkeypatch.setenv("NO_PROXY", "127.0.0.2")
        async with reached(ELSEWHERE, Access()) as client:
            with pytest.raises(OriginUnreachable):
                await client.project_page(DEMO)
        assert len(proxy.asked_for) == asked == 1


async def test_a_proxy_of_the_environment_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    with pytest.raises(UsageError, match="ALL_PROXY names: proxies of the kind socks5:// cannot be used"):
        HttpIndex("lab", ELSEWHERE, {})
    with pytest.raises(UsageError, match="ALL_PROXY names"):
        Relay({}, read_timeout_s=1.0)
    monkeypatch.delenv("ALL_PROXY")
    monkeypatch.setenv("HTTP_PROXY", "nowhere.invalid")
    async with reached(ELSEWHERE, Access()) as client:
        with pytest.raises(OriginUnreachable, match="through the proxy that HTTPS_PROXY, HTTP_PROXY"):
            await client.project_page(DEMO)


async def test_a_proxy_that_is_away_makes_the_index_unreachable_without_telling_its_password() -> None:
    async with reached(ELSEWHERE, Access(proxy="http://me:hunter2@127.0.0.1:9")) as client:
        with pytest.raises(OriginUnreachable) as caught:
            await client.project_page(DEMO)
    assert str(caught.value).endswith(" 127.0.0.1:9: connection refused"), "with the address, which is not the index's"
    assert "hunter2" not in str(caught.value)


# --- the keyring --------------------------------------------------------------------------------------------------------


async def test_the_keyring_is_asked_once_for_the_named_user_and_only_when_nothing_else_has_the_password(tmp_path: Path) -> None:
    keyring = FakeKeyring(tmp_path / "bin", "s3cret")
    path = f"{keyring.directory}:/usr/bin:/bin"
    with FakeIndex(credentials=("me", "s3cret")) as index:
        index.add(WHEEL, CONTENT)
        async with reached(index.url, Access(account="me"), PATH=path) as client:
            assert keyring.asked == [], "not before it is needed"
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(client.project_page, DEMO)
        assert keyring.asked == [f"get {index.url} me"]
        async with reached(index.url, Access(account="me"), PATH=path, WHEELFS_INDEX_LAB_PASSWORD="s3cret") as client:
            await client.project_page(DEMO)
        with_token = index.url.replace("://", "://me@")
        async with reached(with_token, Access(), PATH=path) as client:
            with pytest.raises(OriginDenied):
                await client.project_page(DEMO)
        assert len(keyring.asked) == 1, "a name in the URL may be a token, and the command line is public"


async def test_a_password_that_is_refused_is_not_asked_for_again_at_every_refusal(tmp_path: Path) -> None:
    keyring = FakeKeyring(tmp_path / "bin", "old")
    with FakeIndex(credentials=("me", "old")) as index:
        index.add(WHEEL, CONTENT)
        async with reached(index.url, Access(account="me"), PATH=f"{keyring.directory}:/usr/bin:/bin") as client:
            await client.project_page(DEMO)
            index.credentials, keyring.password = ("me", "new"), "new"
            for _ in range(5):
                with pytest.raises(OriginDenied):
                    await client.project_page(DEMO)
            assert len(keyring.asked) == 1


async def test_a_password_that_is_refused_after_a_while_is_asked_for_again(tmp_path: Path) -> None:
    keyring = FakeKeyring(tmp_path / "bin", "old")
    limits = HttpLimits(read_timeout_s=5.0, keyring_renew_s=0.0)
    with FakeIndex(credentials=("me", "old")) as index:
        index.add(WHEEL, CONTENT)
        async with reached(index.url, Access(account="me"), limits, PATH=f"{keyring.directory}:/usr/bin:/bin") as client:
            await client.project_page(DEMO)
            index.credentials, keyring.password = ("me", "new"), "new"
            assert isinstance(await client.project_page(DEMO), PageFound)
            assert len(keyring.asked) == 2


@pytest.mark.parametrize("has_command", [True, False])
async def test_a_keyring_that_knows_nothing_is_an_access_refused(
    tmp_path: Path, has_command: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = FakeKeyring(tmp_path / "bin", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with FakeIndex(credentials=("me", "x")) as index:
        path = f"{keyring.directory}:/usr/bin:/bin" if has_command else "/nonexistent"
        async with reached(index.url, Access(account="me"), PATH=path) as client:
            with pytest.raises(OriginDenied, match="WHEELFS_INDEX_LAB_USERNAME"):
                await client.project_page(DEMO)
    assert "keyring" in caplog.text
    assert len(keyring.asked) == (2 if has_command else 0), "the address, then the host"


class Shaken:
    """A client as `trust` makes them and a server after their handshake, with what is on its way to the client."""

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        (directory / "authority.pem").write_bytes(authority.cert_pem.bytes())
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.num_tickets = 0
        authority.issue_cert("index.example").configure_cert(server)
        self.coming, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = trust(str(directory / "authority.pem")).wrap_bio(self.coming, back, server_hostname="index.example")
        self.server = server.wrap_bio(back, self.coming, server_side=True)
        for end in (self.client, self.server, self.client, self.server):
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()


def test_all_records_that_have_come_are_read_at_once_and_no_byte_more_than_wanted(tmp_path: Path) -> None:
    ends = Shaken(tmp_path)
    sent = bytes(range(256)) * 400
    ends.server.write(sent)
    assert ends.client.read(70_000) == sent[:70_000]
    assert ends.client.read(1 << 20) == sent[70_000:]
    with pytest.raises(ssl.SSLWantReadError):
        ends.client.read(1 << 20)
    ends.server.write(b"the last")
    with pytest.raises(ssl.SSLWantReadError):
        ends.server.unwrap()
    assert ends.client.read(1 << 20) == b"the last"
    assert ends.client.read(1 << 20) == b"", "the end is reported when nothing comes before it any more"


def test_what_is_wrong_with_a_later_record_is_reported_after_the_good_ones(tmp_path: Path) -> None:
    ends = Shaken(tmp_path)
    ends.server.write(b"good")
    ends.coming.write(b"\x17\x03\x03\x00\x20" + bytes(32))
    assert ends.client.read(1 << 20) == b"good"
    with pytest.raises(ssl.SSLError, match=r"DECRYPTION|BAD_RECORD"):
        ends.client.read(1 << 20)
