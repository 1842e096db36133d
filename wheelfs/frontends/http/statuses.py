"""The one table from error classes to HTTP statuses, chosen for what installers do with them (docs/design/concurrency.md).

404 sends a client to its next index, and 401 and 403 make it ask for credentials or go on quietly: so they are only said where
they are true of the gateway itself.  An origin that refuses *our* credentials is a bad gateway.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from wheelfs import errors

STATUS_OF_CLASS: Final[dict[type[errors.WheelfsError], HTTPStatus]] = {
    errors.UsageError: HTTPStatus.BAD_REQUEST,
    errors.InvalidInput: HTTPStatus.BAD_REQUEST,
    errors.NameTaken: HTTPStatus.CONFLICT,
    errors.NotKnown: HTTPStatus.NOT_FOUND,
    errors.MountPointError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.FuseUnavailable: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.Unresolvable: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.ProgramMissing: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.DestinationError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.OriginError: HTTPStatus.BAD_GATEWAY,
    errors.OriginUnreachable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.OriginTimeout: HTTPStatus.GATEWAY_TIMEOUT,
    errors.OriginDenied: HTTPStatus.BAD_GATEWAY,
    errors.OriginMissing: HTTPStatus.NOT_FOUND,
    errors.OriginFault: HTTPStatus.BAD_GATEWAY,
    errors.OriginBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ContentMismatch: HTTPStatus.BAD_GATEWAY,
    errors.ContentChanged: HTTPStatus.BAD_GATEWAY,
    errors.StoreError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.StoreLocked: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StoreReadOnly: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.StoreFull: HTTPStatus.INSUFFICIENT_STORAGE,
    errors.StoreFormat: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.StoreOnNetwork: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.StoreDamaged: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InternalError: HTTPStatus.INTERNAL_SERVER_ERROR,
}

RETRY_AFTER_S: Final = 10
"""What a client is asked to wait where waiting may help."""


def status_of(error: errors.WheelfsError) -> HTTPStatus:
    """Return the status for ``error``: that of its class, else of the nearest base class in the table, else 500."""
    for base in type(error).__mro__:
        status = STATUS_OF_CLASS.get(base)
        if status is not None:
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR
