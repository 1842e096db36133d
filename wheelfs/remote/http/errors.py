"""What the HTTP client raises, translated into wheelfs' own errors: who is to blame, and what to do."""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from wheelfs.config import redact
from wheelfs.core.http.coding import BadCoding
from wheelfs.errors import OriginDenied, OriginFault, OriginTimeout, OriginUnreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx2

    from wheelfs.errors import OriginError

_CONNECTING: Final = re.compile(r"^error connecting to \('([^']+)', (\d+)[^)]*\): ")
"""How trio begins what the system says of a connection, with a socket's address as Python writes it."""


_PROXY_SETTINGS: Final = "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY or proxy of the index"


@contextmanager
def as_origin_errors(attempted: str, *, is_proxied: Callable[[], bool] | None = None) -> Iterator[None]:
    """Turn the client's exceptions inside the block into `OriginError`s; none of their texts may hold a credential.

    ``is_proxied`` says whether it is a proxy that could not be reached; it is only asked then.
    """
    try:
        yield
    except BadCoding as error:
        if str(error) == "truncated":
            raise OriginFault(attempted, "truncated: the compressed answer ends in the middle") from None
        raise OriginFault(attempted, f"the answer is compressed in a way that cannot be undone: {error}") from None
    except Exception as error:
        import httpx2

        if not isinstance(error, httpx2.HTTPError | httpx2.InvalidURL | httpx2.StreamError):
            raise
        if (
            isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError)
            and is_proxied is not None
            and is_proxied()
        ):
            attempted = f"{attempted} through the proxy that {_PROXY_SETTINGS} names"
        raise _translated(attempted, error) from None


def may_pass(error: httpx2.ConnectError) -> bool:
    """Tell whether a connection that failed may succeed in a moment: not where TLS refuses, or where there is no such host."""
    cause = _system_error(error)
    is_unnamed = isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN
    return not is_unnamed and _tls_reason(error) is None


def _translated(attempted: str, error: Exception) -> OriginError:
    import httpx2

    tls = _tls_reason(error)
    if tls is not None:
        return OriginFault(
            attempted, f"TLS failed: {tls}", "SSL_CERT_FILE, PIP_CERT and REQUESTS_CA_BUNDLE name a bundle of trusted authorities"
        )
    match error:
        case httpx2.ConnectTimeout():
            return OriginUnreachable(attempted, "no connection within the bound")
        case httpx2.TimeoutException():
            return OriginTimeout(attempted, "the origin has gone silent")
        case httpx2.ProxyError() if "407" in str(error):
            return OriginDenied(attempted, "the proxy wants other credentials", "see HTTPS_PROXY and HTTP_PROXY")
        case httpx2.ConnectError() | httpx2.ProxyError():
            return OriginUnreachable(attempted, _system_reason(error) or _reason(error) or "no connection")
        case httpx2.InvalidURL() | httpx2.UnsupportedProtocol() | httpx2.LocalProtocolError():
            return OriginFault(attempted, "its address cannot be used for a request")
        case httpx2.RemoteProtocolError() if "incomplete" in str(error) or "without sending complete" in str(error):
            return OriginFault(attempted, "truncated: the answer broke off before its announced end")
        case httpx2.RemoteProtocolError():
            return OriginFault(attempted, f"the answer is no valid HTTP: {_reason(error)}")
        case _:
            return OriginFault(attempted, f"truncated: the connection broke ({_reason(error) or type(error).__name__})")


def _tls_reason(error: BaseException) -> str | None:
    for _ in range(8):  # deep enough for client, transport, stream and socket
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        if isinstance(error, ssl.SSLError):
            # One that Python raises itself has no reason.
            return (getattr(error, "reason", None) or "handshake refused").replace("_", " ").lower()
        following = error.__cause__ or error.__context__
        if following is None:
            return None
        error = following
    return None


def _system_reason(error: BaseException) -> str | None:
    cause = _system_error(error)
    return None if cause is None else _CONNECTING.sub(_place, str(cause.strerror).lower())


def _system_error(error: BaseException | None) -> OSError | None:
    """Return what the system said of a failed connection; the client only says that all attempts failed."""
    for _ in range(8):
        if error is None:
            return None
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, OSError) and error.errno is not None and error.strerror:
            return error
        error = error.__cause__ or error.__context__
    return None


def _place(connecting: re.Match[str]) -> str:
    # The address stays: it may be a proxy's.
    host, port = connecting.groups()
    return f"[{host}]:{port}: " if ":" in host else f"{host}:{port}: "


def _reason(error: Exception) -> str:
    return redact(" ".join(str(error).split())[:200])
