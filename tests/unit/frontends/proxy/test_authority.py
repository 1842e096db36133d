"""The certificate authority of a run, asked by OpenSSL as strictly as it can."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

import pytest

from wheelfs.frontends.http.proxy.authority import Authority

if TYPE_CHECKING:
    from datetime import tzinfo


def shake_hands(server: ssl.SSLContext, authority: bytes, host: str) -> None:
    """Let a client that trusts ``authority`` alone, and checks by RFC 5280 to the letter, meet ``server`` in memory."""
    client = ssl.create_default_context(cadata=authority.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(back, there, server_hostname=host), server.wrap_bio(there, back, server_side=True)]
    for _ in range(4):
        for end in list(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                pass
    assert not ends


@pytest.mark.parametrize("host", ["index.example", "127.0.0.1", "::1", "localhost"])
def test_a_client_that_trusts_it_accepts_its_hosts(host: str) -> None:
    authority = Authority(["index.example", "127.0.0.1", "::1", "localhost"])
    shake_hands(authority.context_for(host), authority.pem, host)


def test_it_issues_nothing_for_other_hosts() -> None:
    with pytest.raises(KeyError):
        Authority(["index.example"]).context_for("bank.example")


@pytest.mark.parametrize("host", ["bank.example", "192.0.2.1"])
def test_a_certificate_for_another_host_is_refused_by_clients_even_if_its_key_were_stolen(host: str) -> None:
    authority = Authority(["index.example", "127.0.0.1"])
    stolen = authority._made(host)
    with pytest.raises(ssl.SSLCertVerificationError, match="subtree"):
        shake_hands(stolen, authority.pem, host)


def test_it_ends_with_its_lifetime_and_can_be_renewed() -> None:
    authority = Authority(["index.example"], lifetime=timedelta(seconds=-1))
    old = authority.pem
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        shake_hands(authority.context_for("index.example"), old, "index.example")
    authority._lifetime = timedelta(hours=1)
    new = authority.renew()
    assert new != old
    shake_hands(authority.context_for("index.example"), new, "index.example")


@pytest.mark.parametrize("late", [timedelta(hours=1), timedelta(hours=-1)])
def test_after_the_clock_was_set_or_the_machine_was_asleep_it_issues_what_is_valid_now(
    monkeypatch: pytest.MonkeyPatch, late: timedelta
) -> None:
    class Before(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) - late

    with monkeypatch.context() as patch:
        patch.setattr("wheelfs.frontends.http.proxy.authority.datetime", Before)
        authority = Authority(["index.example"])
        authority.context_for("index.example")
        assert not authority.is_due
    assert authority.is_due
    shake_hands(authority.context_for("index.example"), authority.pem, "index.example")
    assert not authority.is_due
