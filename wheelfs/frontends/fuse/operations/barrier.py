"""One exception barrier around every request handler: pyfuse3 ends the daemon on anything but `pyfuse3.FUSEError`."""

from __future__ import annotations

import errno
import functools
import inspect
import logging
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pyfuse3

from wheelfs.frontends.fuse.operations.errnos import errno_of, reported

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wheelfs.errors import WheelfsError

log = logging.getLogger(__name__)

HANDLERS: Final = tuple(name for name, value in vars(pyfuse3.Operations).items() if inspect.iscoroutinefunction(value))
"""Every request handler that pyfuse3 knows, ours or inherited: taken from its class, so that a new one cannot be forgotten."""

_Class = TypeVar("_Class", bound=type[pyfuse3.Operations])


def guarded(operations: _Class) -> _Class:
    """Class decorator: put the barrier around all of `HANDLERS`, inherited ones too.

    The class must have ``count_error(operation, error)``.  `trio.Cancelled` is a BaseException and passes, which is how a
    shutdown ends requests under way.
    """
    for name in HANDLERS:
        setattr(operations, name, _with_barrier(name, getattr(operations, name)))
    return operations


def _with_barrier(name: str, handler: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(handler)
    async def barrier(self: Any, *args: Any) -> Any:
        try:
            return await handler(self, *args)
        except pyfuse3.FUSEError:
            raise
        except Exception as error:
            number = _account(name, error, self.count_error)
        raise pyfuse3.FUSEError(number)

    @functools.wraps(handler)
    async def silent_barrier(self: Any, *args: Any) -> None:
        try:
            await handler(self, *args)
        except Exception as error:
            _account(name, error, self.count_error)

    # FORGET has no reply: libfuse has answered already, and an errno could go nowhere.
    return silent_barrier if name == "forget" else barrier


def _account(operation: str, error: Exception, count_error: Callable[[str, WheelfsError], None]) -> int:
    known = reported(error)
    if known is None:
        log.error("%s failed by a bug in wheelfs; the caller gets EIO, the mount lives on", operation, exc_info=error)
        return errno.EIO
    try:
        count_error(operation, known)
    except Exception:
        log.exception("counting a failed %s failed: %s", operation, known)
    return errno_of(known)
