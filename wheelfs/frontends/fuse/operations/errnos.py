"""The one table from error classes to errnos, chosen for what pip and uv print (docs/design/concurrency.md).

EIO is left for damage in the local store and for our own bugs, and EAGAIN and EINTR are never used: clients report the first
as a broken disk and retry or misread the others.
"""

from __future__ import annotations

import errno
from typing import Final

import trio

from wheelfs import errors

ERRNO_OF_CLASS: Final[dict[type[errors.WheelfsError], int]] = {
    errors.UsageError: errno.EINVAL,
    errors.InvalidInput: errno.EINVAL,
    errors.NameTaken: errno.EEXIST,
    errors.NotKnown: errno.ENOENT,
    errors.MountPointError: errno.EINVAL,
    errors.FuseUnavailable: errno.ENODEV,
    errors.Unresolvable: errno.EINVAL,
    errors.ProgramMissing: errno.EINVAL,
    errors.DestinationError: errno.EINVAL,
    errors.OriginError: errno.EREMOTEIO,
    errors.OriginUnreachable: errno.ENETUNREACH,
    errors.OriginTimeout: errno.ETIMEDOUT,
    errors.OriginDenied: errno.EACCES,
    errors.OriginMissing: errno.ENOENT,
    errors.OriginFault: errno.EREMOTEIO,
    errors.OriginBusy: errno.EREMOTEIO,
    errors.ContentMismatch: errno.EREMOTEIO,
    errors.ContentChanged: errno.EREMOTEIO,
    errors.StoreError: errno.EIO,
    errors.StoreLocked: errno.EBUSY,
    errors.StoreReadOnly: errno.EROFS,
    errors.StoreFull: errno.ENOSPC,
    errors.StoreFormat: errno.EIO,
    errors.StoreOnNetwork: errno.EIO,
    errors.StoreDamaged: errno.EIO,
    errors.InternalError: errno.EIO,
}


def reported(error: Exception) -> errors.WheelfsError | None:
    """Return the `WheelfsError` that a caller is to hear of, or None when ``error`` is a bug.

    A nursery wraps what its children raise into a group: a group that holds nothing but our errors stands for its first one.  A
    bound that trio enforced is a `wheelfs.errors.OriginTimeout`: only network waits are bounded that way.
    """
    if isinstance(error, errors.WheelfsError):
        return error
    if isinstance(error, trio.TooSlowError):
        return errors.OriginTimeout("wait for an origin", "no answer within the bound")
    if isinstance(error, ExceptionGroup):
        leaves = [reported(inner) for inner in error.exceptions]
        return leaves[0] if all(leaf is not None for leaf in leaves) else None
    return None


def errno_of(error: errors.WheelfsError) -> int:
    """Return the errno for ``error``: that of its class, else of the nearest base class in the table, else EIO."""
    for base in type(error).__mro__:
        number = ERRNO_OF_CLASS.get(base)
        if number is not None:
            return number
    return errno.EIO
