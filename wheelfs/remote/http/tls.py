"""How an index wants to be reached: whom to trust, how to prove who one is, and through which proxy."""

from __future__ import annotations

import functools
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

from wheelfs.errors import UsageError

CA_VARIABLES: Final = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")


@dataclass(frozen=True, slots=True)
class Access:
    """What an index's table says beside its address.

    ``ca`` is a bundle (or a directory) of trusted authorities in place of the environment's; ``client_cert`` and ``client_key``
    are PEM files (the key may be in the first); ``proxy`` is an address in place of the environment's proxies; ``account`` the
    user whose password the keyring is asked for.  ``private_addresses``: whether its links and redirects may lead to addresses
    that are nearer to this machine than its own.  ``absent`` are the statuses of a page, beside 404 and 410, that mean that the
    index has no such project.
    """

    ca: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = field(default=None, repr=False)
    account: str | None = None
    private_addresses: bool = True
    absent: frozenset[int] = frozenset()


DEFAULT_ACCESS: Final = Access()


_RECORD_BYTES: Final = 16 * 1024
"""The most that a record of TLS holds (RFC 8446, 5.1)."""


class _Gathered(ssl.SSLObject):
    """TLS that hands out all that has come, and not one record of 16 KiB at a time.

    Each piece passes through all layers of the HTTP client; and the library asks for as much as a socket may have, which is
    allocated for each of them.
    """

    _broken: ssl.SSLError | None = None

    def read(self, size: int = _RECORD_BYTES, buffer: bytearray | None = None) -> bytes:  # type: ignore[override]
        """Return at most ``size`` bytes, and otherwise do as the base class does."""
        assert buffer is None, "trio wants bytes"
        if self._broken is not None:
            raise self._broken
        pieces = [super().read(min(size, _RECORD_BYTES))]
        left = size - len(pieces[0])
        try:
            while pieces[-1] and left:
                pieces.append(super().read(min(left, _RECORD_BYTES)))
                left -= len(pieces[-1])
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:  # for the next call: OpenSSL itself would report an end then, and not what was wrong
            self._broken = error
        return b"".join(pieces)


@functools.cache
def trust(bundle: str | None, client_cert: str | None = None, client_key: str | None = None) -> ssl.SSLContext:
    """Return whom to trust: the system's authorities, or those in ``bundle``; made once, since reading them takes a while.

    Raises `UsageError` for files that cannot be used.
    """
    context = _systems() if bundle is None else _bundled(bundle)
    context.sslobject_class = _Gathered
    if client_cert is not None:
        try:
            context.load_cert_chain(client_cert, client_key, password=_no_password)
        except OSError as error:  # ssl.SSLError is one
            raise UsageError(
                f"use the client certificate {client_cert}",
                error.strerror or "it cannot be used"
                if not isinstance(error, ssl.SSLError)
                else "it or its key is no usable PEM",
                "client-cert and client-key name files of PEM certificate and key, the key without a password",
            ) from None
    return context


def _systems() -> ssl.SSLContext:
    import httpx2

    return httpx2.create_ssl_context()


def _bundled(bundle: str) -> ssl.SSLContext:
    try:
        # requests takes a directory here as well.
        return ssl.create_default_context(capath=bundle) if Path(bundle).is_dir() else ssl.create_default_context(cafile=bundle)
    except OSError:  # ssl.SSLError is one
        pass
    raise UsageError(
        f"read the trusted authorities in {bundle}",
        "it cannot be read as a bundle of PEM certificates",
        f"check ca of the index, or {', '.join(CA_VARIABLES)} in the environment",
    )


def _no_password() -> NoReturn:
    """Keep OpenSSL from asking the terminal of a daemon."""
    raise ssl.SSLError("the key has a password")
