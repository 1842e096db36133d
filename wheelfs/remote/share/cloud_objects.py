"""Objects in an object store (S3, Google, Azure), through obstore: the only importer of it.

obstore's synchronous interface, since the other one needs asyncio.  Credentials come from where the cloud's own tools have them:
variables such as ``AWS_ACCESS_KEY_ID`` and ``AWS_ENDPOINT_URL``, or the machine's role.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import obstore
from obstore import exceptions
from obstore.store import from_url

from wheelfs.config import redact
from wheelfs.errors import OriginDenied, OriginError, OriginFault, OriginMissing, OriginUnreachable, UsageError
from wheelfs.model.framing import ShareFormatError
from wheelfs.model.share_objects import FoundObject
from wheelfs.remote.limits import CLOUD_LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from obstore.store import ClientConfig, RetryConfig

    from wheelfs.remote.limits import CloudLimits

_LISTED_AT_ONCE: Final = 1_000
_CREATE_ATTEMPTS: Final = 5
"""Each takes a conflict with another client, and two round trips."""

_CREDENTIALS: Final = "are the credentials set, and do they allow it?"
_SET_CREDENTIALS: Final = (
    "set them as for the cloud's own tools: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS,"
    " or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"
)
_NO_CREDENTIALS: Final = re.compile(r"/latest/(?:api/token|meta-data)|/computeMetadata/|/metadata/identity/|token request")
"""Without any, the library asks the cloud for those of the machine, and tells how that failed."""


_CODE: Final = re.compile(r"<Code>([^<]{1,100})</Code>")
_MESSAGE: Final = re.compile(r"<Message>([^<]{1,300})</Message>")
"""In the answers of all three clouds, on lines of their own or not."""
_CLOCK: Final = "set the clock of this machine: requests are signed with its time"
_RENEW: Final = "they were good for a while: renew them"
_DENIED: Final = {
    "RequestTimeTooSkewed": _CLOCK,
    "RequestExpired": _CLOCK,
    "ExpiredToken": _RENEW,
    "TokenRefreshRequired": _RENEW,
}
"""What S3 says of credentials that are right in themselves, with whatever status, and what helps."""


class CloudObjects:
    """Objects below a bucket's prefix."""

    def __init__(self, url: str, *, limits: CloudLimits = CLOUD_LIMITS) -> None:
        """Raises `UsageError` for an invalid address."""
        self.url = redact(url.rstrip("/"))
        # Whether there is TLS is for the configured endpoint to say; the clouds' own ones have it.
        options: ClientConfig = {
            "connect_timeout": timedelta(seconds=limits.connect_timeout_s),
            "timeout": timedelta(seconds=limits.request_timeout_s),
            "allow_http": True,
        }
        retries: RetryConfig = {"max_retries": limits.retries, "retry_timeout": timedelta(seconds=limits.retry_timeout_s)}
        silence = timedelta(seconds=limits.silence_s)
        try:
            self._store = from_url(url, client_options={**options, "read_timeout": silence}, retry_config=retries)
            self._written = from_url(url, client_options=options, retry_config=retries)
        except (exceptions.BaseError, ValueError) as error:
            raise UsageError(f"use the share {self.url}", _reason(error), _SET_CREDENTIALS) from error

    def read(self, key: str, *, limit_bytes: int) -> bytes | None:
        attempted = self._attempted("read", key)
        try:
            found = obstore.get(self._store, key)
            if found.meta["size"] > limit_bytes:
                raise ShareFormatError(f"it is larger than {limit_bytes} bytes")
            return bytes(found.bytes())
        except FileNotFoundError:
            return None
        except (exceptions.BaseError, OSError) as error:
            raise _error(attempted, error) from error

    def read_range(self, key: str, start: int, end: int) -> bytes | None:
        try:
            return bytes(obstore.get_range(self._store, key, start=start, end=end))
        except FileNotFoundError:
            return None
        except (exceptions.BaseError, OSError) as error:
            raise _error(self._attempted("read", key), error) from error

    def create(self, key: str, content: bytes) -> bool:
        attempted = self._attempted("write", key)
        for _ in range(_CREATE_ATTEMPTS):
            try:
                obstore.put(self._written, key, content, mode="create", use_multipart=False)
                return True
            except exceptions.AlreadyExistsError:
                # The library says so of a 409, too: S3's for a key that others write or delete at the same time, of which nothing
                # may be there then (apache/arrow-rs-object-store, pull request 852).
                if self._is_there(attempted, key):
                    return False
            except (exceptions.BaseError, OSError) as error:
                raise _error(attempted, error) from error
        raise OriginFault(attempted, "others write or delete it at the same time", "try again")

    def _is_there(self, attempted: str, key: str) -> bool:
        try:
            obstore.head(self._store, key)  # unlike a range of bytes, also of an empty object
        except FileNotFoundError:
            return False
        except (exceptions.BaseError, OSError) as error:
            raise _error(attempted, error) from error
        return True

    def found(self, prefix: str) -> Iterator[FoundObject]:
        try:
            for batch in obstore.list(self._store, f"{prefix}/", chunk_size=_LISTED_AT_ONCE):
                for one in batch:
                    yield FoundObject(one["path"], one["size"], one["last_modified"].timestamp())
        except (exceptions.BaseError, OSError) as error:
            raise _error(self._attempted("list", prefix), error) from error

    def delete(self, key: str) -> None:
        try:
            obstore.delete(self._store, key)
        except FileNotFoundError:
            return
        except (exceptions.BaseError, OSError) as error:
            raise _error(self._attempted("delete", key), error) from error

    def _attempted(self, verb: str, key: str) -> str:
        return f"{verb} {key} in the share {self.url}"


def _error(attempted: str, error: Exception) -> OriginError:
    code = _CODE.search(str(error))
    if code is not None and code[1] in _DENIED:
        return OriginDenied(attempted, _reason(error), _DENIED[code[1]])
    if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError | PermissionError):
        return OriginDenied(attempted, _reason(error), _CREDENTIALS)
    reason = _reason(error)
    if _NO_CREDENTIALS.search(reason):
        return OriginDenied(attempted, "no credentials are set, and this machine has none of its own", _SET_CREDENTIALS)
    if isinstance(error, FileNotFoundError) or "404 Not Found" in reason:  # the library has no error of its own for listings
        return OriginMissing(attempted, reason, "is there such a bucket?")
    if "error sending request" in reason:
        return OriginUnreachable(attempted, reason, "is the network up, and its address right?")
    return OriginFault(attempted, reason)


def _reason(error: Exception) -> str:
    """Return the first line, and what the cloud itself said: below it obstore prints its whole state."""
    text = str(error)
    line = " ".join(text.partition("\n")[0].partition("<?xml")[0].split())[:300]
    said = [found[1] for found in (_CODE.search(text), _MESSAGE.search(text)) if found is not None]
    return redact(": ".join((line.rstrip(":"), *said)))
