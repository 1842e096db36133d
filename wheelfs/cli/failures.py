"""What an exception means to the user: one of our errors, an interrupt, or a bug of ours."""

from __future__ import annotations

import errno
import logging

from wheelfs.errors import InternalError, StoreFull, WheelfsError

_log = logging.getLogger(__name__)


def is_interrupt(error: BaseException) -> bool:
    """Tell whether Ctrl-C is at the bottom of ``error``; a nursery wraps what ends it."""
    return any(isinstance(leaf, KeyboardInterrupt) for leaf in _leaves(error))


def error_of(error: BaseException) -> WheelfsError:
    """Return the error to tell of.  What nobody expected is logged with its traceback and becomes an `InternalError`."""
    for leaf in _leaves(error):
        if isinstance(leaf, WheelfsError):
            return leaf
        if isinstance(leaf, OSError) and leaf.errno in (errno.ENOSPC, errno.EDQUOT):
            return StoreFull("write", leaf.strerror or "the disk is full", "make room and run it again")
    _log.error("internal error", exc_info=error)
    advice = "this is a bug in wheelfs: please report it with the traceback"
    return InternalError("run wheelfs", f"{type(error).__name__}: {error}", advice)


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
