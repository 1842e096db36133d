"""Whether a request to the gateway carries its token: as a bearer token (RFC 6750), or as the password of basic credentials.

Installers know basic credentials only, in the URL of the index or from netrc; the user's name is then of no account.
"""

from __future__ import annotations

import base64
import binascii
import hmac


def carries(token: str, authorization: str | None) -> bool:
    """Return whether the header ``Authorization`` (None: absent) carries ``token``; takes as long whatever the header holds."""
    scheme, _, credentials = (authorization or "").strip().partition(" ")
    given = ""
    if scheme.lower() == "bearer":
        given = credentials.strip()
    elif scheme.lower() == "basic":
        try:
            given = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            given = ""
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode()) and bool(token)
