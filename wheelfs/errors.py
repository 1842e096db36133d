"""Every error a user can meet, by whose fault it is; each class owns its exit code.

The shape follows one rule: an error says what was attempted, what happened and what to do.  ``docs/reference/errors.md`` is
generated from this module and a test walks the subclasses, so a new class needs a code of its own and a docstring.
"""

from __future__ import annotations

from typing import ClassVar


class WheelfsError(Exception):
    """Base of all errors that are shown to a user.

    ``attempted`` is a phrase ("open store /var/lib/wheelfs"), ``happened`` the cause, ``advice`` what to do (may be empty).
    None of the three may hold a credential.
    """

    exit_code: ClassVar[int] = 70

    def __init__(self, attempted: str, happened: str, advice: str = "") -> None:
        super().__init__(attempted, happened, advice)
        self.attempted = attempted
        self.happened = happened
        self.advice = advice

    def __str__(self) -> str:
        text = f"{self.attempted}: {self.happened}"
        return f"{text} ({self.advice})" if self.advice else text


# --- you: the command line, the configuration, the input -------------------------------------------------------------


class UsageError(WheelfsError):
    """The command line or the configuration does not make sense."""

    exit_code = 2


class InvalidInput(UsageError):
    """A file, name or page handed to wheelfs is not what it should be (no wheel, a bad name, a truncated ZIP)."""

    exit_code = 3


class NameTaken(InvalidInput):
    """A file of this name is stored already, with other content."""

    exit_code = 4


class NotKnown(UsageError):
    """Nothing of this name is known here: no such project, file or mount."""

    exit_code = 5


class MountPointError(UsageError):
    """The mount point is no directory, not empty, another user's, mounted already, has the store in it, or does not answer."""

    exit_code = 6


class FuseUnavailable(UsageError):
    """This machine cannot mount: no /dev/fuse, no fusermount3, or not allowed to use them."""

    exit_code = 7


class Unresolvable(UsageError):
    """No versions go together that satisfy what is asked for, or uv, which looks for them, found an obstacle."""

    exit_code = 10


class ProgramMissing(UsageError):
    """A program that a command needs beside wheelfs is not installed."""

    exit_code = 11


class DestinationError(UsageError):
    """A directory that files are to be written to cannot be written, has no room, or is being written by another process."""

    exit_code = 12


# --- them: indexes, shares, the network ------------------------------------------------------------------------------


class OriginError(WheelfsError):
    """An origin (index, share, gateway) did not do its part."""

    exit_code = 20


class OriginUnreachable(OriginError):
    """No connection to the origin, or it is known to be down, or wheelfs is offline."""

    exit_code = 21


class OriginTimeout(OriginError):
    """The origin was connected but made no progress within the bound."""

    exit_code = 22


class OriginDenied(OriginError):
    """The origin refuses our credentials, or wants some (401, 403, 407)."""

    exit_code = 23

    def __init__(self, attempted: str, happened: str, advice: str = "", *, status: int | None = None) -> None:
        """``status`` is the one of an answer over HTTP by the origin itself."""
        super().__init__(attempted, happened, advice)
        self.status = status


class OriginMissing(OriginError):
    """The origin says that it has no such thing (404, 410)."""

    exit_code = 24


class OriginFault(OriginError):
    """The origin answered nonsense: 5xx, broken TLS, a wrong length, a page that is no simple page."""

    exit_code = 25


class OriginBusy(OriginFault):
    """The origin cannot now, and says when it wants to be asked again (429 or 5xx with Retry-After)."""

    exit_code = 28

    def __init__(self, attempted: str, happened: str, advice: str = "", *, retry_after_s: float | None = None) -> None:
        """``retry_after_s``: in how many seconds; None when that is not known any more."""
        super().__init__(attempted, happened, advice)
        self.retry_after_s = retry_after_s


class ContentMismatch(OriginFault):
    """Bytes do not have the sha256 that the index promised; they are never served."""

    exit_code = 26


class ContentChanged(OriginFault):
    """A file at the origin is no longer the one of which a part was fetched before."""

    exit_code = 27


# --- our disk --------------------------------------------------------------------------------------------------------


class StoreError(WheelfsError):
    """The local store cannot be used."""

    exit_code = 40


class StoreLocked(StoreError):
    """Another process holds the store in a way that excludes this one."""

    exit_code = 41


class StoreReadOnly(StoreError):
    """The store, or the file system under it, cannot be written."""

    exit_code = 42


class StoreFull(StoreError):
    """No room: the disk, the quota or the map is full."""

    exit_code = 43


class StoreFormat(StoreError):
    """The store was written by another version of wheelfs, or is no store at all."""

    exit_code = 44


class StoreOnNetwork(StoreError):
    """The store's directory is on a network file system, where LMDB corrupts data."""

    exit_code = 45


class StoreDamaged(StoreError):
    """Stored bytes are not what was written."""

    exit_code = 46


# --- us --------------------------------------------------------------------------------------------------------------


class InternalError(WheelfsError):
    """A bug in wheelfs."""

    exit_code = 70
