"""What an exception means to the user: one of our errors, an interrupt, or a bug of ours."""

from __future__ import annotations

import errno
import logging
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wheelfs import errors
from wheelfs.errors import InternalError, StoreFull, UsageError, WheelfsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_log = logging.getLogger(__name__)


class ReaderGone(Exception):
    """The reader of stdout has closed it.  No OSError: what writes files must not take it for a failure of theirs."""


def is_interrupt(error: BaseException) -> bool:
    """Return whether ``error`` is Ctrl-C, however nurseries have wrapped it."""
    return any(isinstance(leaf, KeyboardInterrupt) for leaf in _leaves(error))


def is_reader_gone(error: BaseException) -> bool:
    """Return whether ``error`` is that nothing reads our stdout any more, however nurseries have wrapped it."""
    return any(isinstance(leaf, ReaderGone) for leaf in _leaves(error))


@contextmanager
def says_what_is_kept(talk: Callable[[str], None], kept: Callable[[], str]) -> Iterator[None]:
    """Say on Ctrl-C, by ``talk``, what of the work of the block stays (``kept``); raises KeyboardInterrupt then."""
    try:
        yield
    except BaseException as error:
        if not is_interrupt(error):
            raise
        talk(f"wheelfs: interrupted; {kept()}")
        raise KeyboardInterrupt from None


def error_of(error: BaseException) -> WheelfsError:
    """Return the error to report.  An unexpected one is logged with its traceback and becomes an `InternalError`."""
    for leaf in _leaves(error):
        if isinstance(leaf, WheelfsError):
            return leaf
        if isinstance(leaf, OSError) and leaf.errno in (errno.ENOSPC, errno.EDQUOT):
            return StoreFull("write", leaf.strerror or "the disk is full", "free some space and run it again")
        if isinstance(leaf, FileNotFoundError) and not _has_working_directory():
            return UsageError("find the working directory", "it is gone", "change to another one, or give whole paths")
    _log.error("internal error", exc_info=error)
    advice = "this is a bug in wheelfs: please report it with the traceback"
    return InternalError("run wheelfs", f"{type(error).__name__}: {error}", advice)


def _has_working_directory() -> bool:
    try:
        return bool(Path.cwd())
    except FileNotFoundError:
        return False


PART_FAILED: Final = 1
"""The exit code when a part of what was asked for failed and the rest was done."""


def exit_code_of(class_names: Sequence[str | None], *, tried: int, otherwise: type[WheelfsError]) -> int:
    """Return the exit code of a command that ``tried`` things and failed at those whose error classes are named.

    Where everything failed: that of the error class that all share, else that of ``otherwise``.
    """
    if not class_names:
        return 0
    if len(class_names) < tried:
        return PART_FAILED
    classes = {getattr(errors, name or "", otherwise) for name in class_names}
    shared = classes.pop() if len(classes) == 1 else otherwise
    return int(shared.exit_code)


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
