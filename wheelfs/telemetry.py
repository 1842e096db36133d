"""Logging and counting: what the operator sees of the process.

Every line that is logged passes `RedactingFormatter`, so that neither a credential nor a forged line can get into a log,
whichever module wrote it.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from wheelfs.config.redaction import redact
from wheelfs.private_files import OWNER_ALONE, Readers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ACCESS_LOG: Final = "wheelfs.access"
"""The logger of a gateway's answers; a record of it with ``is_bare`` is a line of its own kind, such as JSON."""
_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_TALK: Final = "wheelfs: %(message)s"
_LEVELS: Final = ("error", "warning", "info", "debug")
_NUMBERS: Final = ("requests", "fetched_bytes", "saved_bytes", "needed_bytes", "delta_saved_bytes", "sent_bytes")
_GAUGES: Final = ("answering", "under_way")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


def printable(text: str) -> str:
    """Return ``text`` with control characters escaped: foreign names and answers must not control a terminal or forge a line."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class RedactingFormatter(logging.Formatter):
    """Formats a record with credentials taken out of the message, its arguments and its traceback."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # the name that logging calls
        record.message = printable(record.message)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        if getattr(record, "is_bare", False):
            return redact(printable(record.getMessage()))
        return redact(super().format(record))


def level_for(level: str, verbosity: int) -> str:
    """Return ``level`` raised by ``verbosity`` steps (as many as ``-v`` was given)."""
    return _LEVELS[min(_LEVELS.index(level) + verbosity, len(_LEVELS) - 1)]


def set_up_logging(level: str, *, log_file: Path | None = None, readers: Readers = OWNER_ALONE, is_talk: bool = False) -> None:
    """Send what is logged at ``level`` (error, warning, info, debug) and above to stderr, or to ``log_file``.

    Only ``readers`` may read that besides its owner.  ``is_talk``: as what a command says, not as lines of a log.
    Replaces an earlier set-up.  Raises OSError when the file cannot be opened.
    """
    target: logging.Handler
    if log_file is None:
        target = logging.StreamHandler(sys.stderr)
    else:
        # Not at the top: with the handlers of logging come sockets and pickle, which few commands need.
        from wheelfs.log_file import PrivateLog

        log_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        target = PrivateLog(readers, log_file)
    target.setFormatter(RedactingFormatter(_TALK if is_talk else _FORMAT))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    root.addHandler(target)
    # Libraries log their own view of every request; it is worth reading only when debugging.
    root.setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
    logging.getLogger("wheelfs").setLevel(level.upper())
    logging.getLogger(ACCESS_LOG).setLevel(logging.INFO)
    logging.captureWarnings(capture=True)


class CountsSoFar(msgspec.Struct, frozen=True):
    """A consistent copy of `Counters`.  ``errors`` is keyed by (operation, errno name), ``replies`` by HTTP status."""

    requests: int = 0
    fetched_bytes: int = 0
    saved_bytes: int = 0
    needed_bytes: int = 0
    delta_saved_bytes: int = 0
    errors: dict[tuple[str, str], int] = msgspec.field(default_factory=dict)
    replies: dict[int, int] = msgspec.field(default_factory=dict)
    sent_bytes: int = 0
    answering: int = 0
    under_way: int = 0

    def __add__(self, other: CountsSoFar) -> CountsSoFar:
        """Return what two processes have done together."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in (*_NUMBERS, *_GAUGES)}
        return CountsSoFar(
            **sums,
            errors=dict(Counter(self.errors) + Counter(other.errors)),
            replies=dict(Counter(self.replies) + Counter(other.replies)),
        )


class Table(Protocol):
    """Where counts are kept: named whole numbers that are never negative, zero until they are counted."""

    def add(self, name: str, number: int) -> None: ...

    def put(self, name: str, number: int) -> None: ...

    def items(self) -> Iterable[tuple[str, int]]: ...


class OwnTable:
    """Counts in this process's own memory."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, number: int) -> None:
        self._counts[name] += number

    def put(self, name: str, number: int) -> None:
        self._counts[name] = number

    def items(self) -> Iterable[tuple[str, int]]:
        return list(self._counts.items())


class Counters:
    """What this process has done since it began; may be counted from any thread.

    ``requests`` to origins, ``fetched_bytes`` of bodies received from them, ``saved_bytes`` that need not be fetched because
    they were here.  ``needed_bytes`` are the sizes of the files that were brought here whole, and ``delta_saved_bytes``
    how much of them was taken from other files in the store; the latter count as saved, too.  A gateway counts its
    ``replies``, by status, and the bytes of their bodies.  As of now: ``answering`` is 1 while clients are answered, and
    ``under_way`` is how many requests are.
    """

    def __init__(self, table: Table | None = None) -> None:
        self.table = OwnTable() if table is None else table
        self._lock = threading.Lock()

    def count_request(self) -> None:
        with self._lock:
            self.table.add("requests", 1)

    def count_fetched(self, size_bytes: int) -> None:
        with self._lock:
            self.table.add("fetched_bytes", size_bytes)

    def count_saved(self, size_bytes: int) -> None:
        with self._lock:
            self.table.add("saved_bytes", size_bytes)

    def count_brought(self, size_bytes: int, delta_saved_bytes: int) -> None:
        """Count a file that is here whole now, and what of it was not fetched."""
        with self._lock:
            self.table.add("needed_bytes", size_bytes)
            self.table.add("delta_saved_bytes", delta_saved_bytes)
            self.table.add("saved_bytes", delta_saved_bytes)

    def count_error(self, operation: str, errno_name: str) -> None:
        """Count an error that was reported to a client.  Both words come from closed sets, so the table is bounded."""
        with self._lock:
            self.table.add(f"error {operation} {errno_name}", 1)

    def count_reply(self, status: int, sent_bytes: int) -> None:
        """Count an answer over HTTP; ``sent_bytes`` is what its body should have had."""
        with self._lock:
            self.table.add(f"reply {status}", 1)
            self.table.add("sent_bytes", sent_bytes)

    def note_answering(self, answering: bool, under_way: int) -> None:
        """Note whether clients are answered now, and how many requests."""
        with self._lock:
            self.table.put("answering", int(answering))
            self.table.put("under_way", under_way)

    def so_far(self) -> CountsSoFar:
        with self._lock:
            counts = dict(self.table.items())
        errors, replies = {}, {}
        for name, number in counts.items():
            kind, _, rest = name.partition(" ")
            if kind == "error":
                operation, _, error = rest.partition(" ")
                errors[operation, error] = number
            elif kind == "reply":
                replies[int(rest)] = number
        numbers = {name: counts.get(name, 0) for name in (*_NUMBERS, *_GAUGES)}
        return CountsSoFar(**numbers, errors=errors, replies=replies)
