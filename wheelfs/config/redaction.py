"""Removes credentials from every text that leaves the process: logs, errors, reports, the effective configuration."""

from __future__ import annotations

import re
from typing import Final

_USERINFO: Final = re.compile(r"(?<=[A-Za-z0-9+.-]://)[^\s/?#'\"<>]*@")
"""RFC 3986, 3.2: userinfo ends at the *last* ``@`` of the authority; passwords with an unescaped ``@`` occur.  Of the scheme only
the end is looked at: to look for its beginning took a third of a second for a header of 20 KB without a space in it."""

_PARAMETER: Final = re.compile(r"[?&][^=&\s]*+")
_SECRET: Final = re.compile(r"[?&]sig\Z|token|signature|secret|password|credential|apikey|api_key", re.IGNORECASE)
"""Indexes redirect to signed addresses: a reader of a log could fetch with the signature as we do."""
_VALUE: Final = re.compile(r"=[^&\s#'\"<>]++")


def redact(text: str) -> str:
    """Return ``text`` with the userinfo and secret parameters of every URL in it replaced by ``***``."""
    return _without_secrets(_USERINFO.sub("***@", text))


def _without_secrets(text: str) -> str:
    """Name by name and not by one expression, which takes minutes for what any visitor of a gateway can ask for."""
    kept = []
    at = 0
    while found := _PARAMETER.search(text, at):
        kept.append(text[at : found.end()])
        at = found.end()
        if _SECRET.search(found[0]) and (value := _VALUE.match(text, at)):
            kept.append("=***")
            at = value.end()
    return "".join([*kept, text[at:]])
