"""What the client raises becomes an error of the origin that says what happened, and never a foreign exception."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from typing import TypeVar

import httpx2
import pytest

from wheelfs.errors import OriginDenied, OriginError, OriginFault, OriginTimeout, OriginUnreachable
from wheelfs.remote.http.errors import as_origin_errors, may_pass

E = TypeVar("E", bound=Exception)


def caused(error: E, cause: BaseException) -> E:
    error.__cause__ = cause
    return error


REFUSED = OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
BAD_CERTIFICATE = ssl.SSLCertVerificationError()
BAD_CERTIFICATE.verify_message = "self-signed certificate"


@pytest.mark.parametrize(
    ("raised", "expected", "said"),
    [
        (httpx2.ConnectTimeout(""), OriginUnreachable, "no connection within the bound"),
        (httpx2.ReadTimeout(""), OriginTimeout, "gone silent"),
        (httpx2.ProxyError("407 Proxy Authentication Required"), OriginDenied, "the proxy wants other credentials"),
        (httpx2.ProxyError("503 no"), OriginUnreachable, "503 no"),
        (caused(httpx2.ConnectError("all attempts failed"), REFUSED), OriginUnreachable, "connection refused"),
        (
            caused(httpx2.ConnectError("all attempts failed"), ExceptionGroup("attempts", [REFUSED])),
            OriginUnreachable,
            "connection refused",
        ),
        (httpx2.InvalidURL("http://[/"), OriginFault, "its address cannot be used"),
        (httpx2.LocalProtocolError("illegal header"), OriginFault, "its address cannot be used"),
        (httpx2.RemoteProtocolError("peer closed connection without sending complete message body"), OriginFault, "truncated"),
        (httpx2.RemoteProtocolError("illegal status line"), OriginFault, "no valid HTTP: illegal status line"),
        (httpx2.ReadError("reset"), OriginFault, "the connection broke (reset)"),
        (caused(httpx2.ConnectError("no"), BAD_CERTIFICATE), OriginFault, "TLS failed: self-signed certificate"),
        (caused(httpx2.ConnectError("no"), ssl.SSLError(1, "")), OriginFault, "TLS failed: handshake refused"),
    ],
)
def test_each_has_its_class_and_says_what_happened(raised: Exception, expected: type[OriginError], said: str) -> None:
    with pytest.raises(OriginError) as caught, as_origin_errors("fetch demo"):
        raise raised
    assert type(caught.value) is expected
    assert said in str(caught.value)
    assert "fetch demo" in str(caught.value)


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (REFUSED, True),
        (ExceptionGroup("attempts", [REFUSED]), True),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), True),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), False),
        (BAD_CERTIFICATE, False),
    ],
)
def test_what_may_pass_is_what_the_system_may_think_better_of(cause: Exception, expected: bool) -> None:
    assert may_pass(caused(httpx2.ConnectError("no"), cause)) is expected
