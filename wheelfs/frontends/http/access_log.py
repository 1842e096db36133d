"""One line for each answer of the gateway, for those who must say who fetched what."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import trio

from wheelfs.telemetry import ACCESS_LOG

if TYPE_CHECKING:
    from wheelfs.frontends.http.messages import Reply

log = logging.getLogger(ACCESS_LOG)


def log_access(scope: dict[str, Any], reply: Reply, began_s: float, *, is_whole: bool, as_json: bool) -> None:
    """Log an answer; ``began_s`` is when its request came, by trio's clock, and ``is_whole`` whether all of it was sent.

    Paths are as the client wrote them, without queries: those of other programs may hold secrets.  Of an answer that was cut off
    the size is not known.
    """
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    method, path, client = scope["method"], raw.partition(b"?")[0].decode("latin-1"), (scope.get("client") or ("-",))[0]
    size = 0 if method == "HEAD" else reply.length
    taken_ms = round((trio.current_time() - began_s) * 1_000, 1)
    if not as_json:
        log.info('%s "%s %s" %d %s %.1f ms', client, method, path, reply.status, size if is_whole else "cut off", taken_ms)
        return
    entry = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "client": client,
        "method": method,
        "path": path,
        "status": int(reply.status),
        "size_bytes": size if is_whole else None,
        "taken_ms": taken_ms,
    }
    log.info("%s", json.dumps(entry), extra={"is_bare": True})
