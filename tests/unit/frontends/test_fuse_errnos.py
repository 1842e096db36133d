from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import trio

from wheelfs import errors
from wheelfs.frontends.fuse.operations.errnos import ERRNO_OF_CLASS, errno_of, reported

if TYPE_CHECKING:
    from collections.abc import Iterator


def classes(base: type[errors.WheelfsError]) -> Iterator[type[errors.WheelfsError]]:
    for below in base.__subclasses__():
        yield below
        yield from classes(below)


def test_every_error_class_of_wheelfs_has_an_errno_of_its_own_line() -> None:
    ours = {known for known in classes(errors.WheelfsError) if known.__module__ == errors.__name__}
    assert ours == set(ERRNO_OF_CLASS)


def test_no_error_is_reported_as_try_again_or_interrupted() -> None:
    assert not {errno.EAGAIN, errno.EINTR, 0} & set(ERRNO_OF_CLASS.values())


def test_an_origin_error_never_reads_as_a_broken_disk() -> None:
    assert all(number != errno.EIO for known, number in ERRNO_OF_CLASS.items() if issubclass(known, errors.OriginError))


def test_a_class_unknown_to_the_table_takes_the_errno_of_its_base() -> None:
    class OriginBusy(errors.OriginTimeout):
        """A class of another module."""

    assert errno_of(OriginBusy("a", "b")) == errno.ETIMEDOUT
    assert errno_of(errors.WheelfsError("a", "b")) == errno.EIO


def test_a_group_of_our_errors_stands_for_the_first_and_a_bug_in_it_is_a_bug() -> None:
    first, second = errors.OriginDenied("a", "b"), errors.OriginTimeout("a", "b")
    assert reported(ExceptionGroup("g", [ExceptionGroup("h", [first]), second])) is first
    assert reported(ExceptionGroup("g", [first, KeyError("x")])) is None
    assert isinstance(reported(trio.TooSlowError()), errors.OriginTimeout)
    assert reported(OSError(errno.EACCES, "spool")) is None
