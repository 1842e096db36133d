"""What a gateway serves with: its certificate, its token, and how these are taken over when they change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.errors import UsageError

if TYPE_CHECKING:
    from wheelfs.config import Settings
    from wheelfs.frontends.http.application import Application
    from wheelfs.frontends.http.server import Speaker, Tls


def take_over_serving(application: Application, speaker: Speaker, settings: Settings) -> None:
    """Read the token and the certificate again, and go by them from the next request on; raises `UsageError`."""
    token = token_of(settings)
    speaker.renew_certificate()
    application.reconfigure(token=token, access_log=settings.serve_access_log)


def tls_of(settings: Settings) -> Tls | None:
    """Return the certificate and its key, looked at once; None: plain HTTP.  Raises `UsageError`."""
    from wheelfs.frontends.http.server import Tls, check_tls

    certificate, key = settings.serve_tls_certificate, settings.serve_tls_key
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise UsageError("serve with TLS", "the certificate or its key is not given", "give --tls-certificate and --tls-key")
    tls = Tls(certificate, key)
    check_tls(tls)
    return tls


def token_of(settings: Settings) -> str | None:
    """Return the token out of its file: in an argument or a variable other users could read it."""
    if settings.serve_token_file is None:
        return None
    attempted = f"read the token in {settings.serve_token_file}"
    try:
        token = settings.serve_token_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(attempted, getattr(error, "strerror", None) or "it is not text") from None
    if not token or any(character.isspace() for character in token):
        raise UsageError(attempted, "it is not one word", "write the token, and nothing else, into it")
    return token
