"""SIGHUP: a gateway, with workers or without, goes by another token and certificate, and keeps them where these are bad."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import trustme

from tests.fakes.waiting import eventually
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    from pathlib import Path


def status_with(url: str, token: str, trusting: ssl.SSLContext) -> int:
    request = urllib.request.Request(f"{url}/simple/", headers={"Authorization": f"Bearer {token}", "Connection": "close"})
    try:
        with urllib.request.urlopen(request, context=trusting) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def certificate_of(url: str, trusting: ssl.SSLContext) -> bytes | None:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    with (
        socket.create_connection((parts.hostname, parts.port)) as plain,
        trusting.wrap_socket(plain, server_hostname=parts.hostname) as tls,
    ):
        return tls.getpeercert(binary_form=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_token_and_certificate_are_read_again(tmp_path: Path, workers: int) -> None:
    authority = trustme.CA()
    first, second = authority.issue_cert("127.0.0.1"), authority.issue_cert("127.0.0.1")
    certificate, key, token = (tmp_path / name for name in ("certificate", "key", "token"))
    first.cert_chain_pems[0].write_to_path(certificate)
    first.private_key_pem.write_to_path(key)
    token.write_text("first-word\n")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    options = ["--tls-certificate", str(certificate), "--tls-key", str(key), "--token-file", str(token), "--no-index"]
    with Serving(tmp_path / "gateway", "--workers", str(workers), *options) as gateway:
        before = certificate_of(gateway.url, trusting)
        # Not before it says so: SIGHUP reaches each process, and each reads by itself.
        second.cert_chain_pems[0].write_to_path(certificate)
        os.kill(gateway.pid, signal.SIGHUP)
        eventually(lambda: gateway.log.read_text().count("stays as it was: use the certificate") >= workers)
        assert certificate_of(gateway.url, trusting) == before
        second.private_key_pem.write_to_path(key)
        token.write_text("second-word\n")
        os.kill(gateway.pid, signal.SIGHUP)
        # A head has taken over what concerns it at both signals.
        said = workers if workers == 1 else workers + 2
        eventually(lambda: gateway.log.read_text().count("SIGHUP: taken over: nothing that changed") >= said)
        for _ in range(8):  # whichever worker answers
            assert certificate_of(gateway.url, trusting) != before
            assert status_with(gateway.url, "first-word", trusting) == 401
            assert status_with(gateway.url, "second-word", trusting) == 200
