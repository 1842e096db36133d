"""Removes credentials from every text that leaves the process: logs, errors, reports, the effective configuration."""

from __future__ import annotations

import re
from typing import Final

_USERINFO: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#'\"<>]*@")
"""RFC 3986, 3.2: userinfo ends at the *last* ``@`` of the authority; passwords with an unescaped ``@`` occur."""

_SECRET_PARAMETER: Final = re.compile(
    r"(?P<name>[?&](?:sig|[^=&\s]*(?:token|signature|secret|password|credential|apikey|api_key)[^=&\s]*)=)[^&\s#'\"<>]+",
    re.IGNORECASE,
)
"""Indexes redirect to signed addresses: a reader of a log could fetch with the signature as we do."""


def redact(text: str) -> str:
    """Return ``text`` with the userinfo and secret parameters of every URL in it replaced by ``***``."""
    return _SECRET_PARAMETER.sub(r"\g<name>***", _USERINFO.sub(r"\g<scheme>***@", text))
