"""RECORD: which files a wheel or an installed distribution has, and what vouches for each.

Sources: "Binary distribution format" and "Recording installed projects".
"""

from __future__ import annotations

import base64
import csv
import io
import re
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_DIGEST_BYTES: Final = {"sha256": 32, "sha384": 48, "sha512": 64}
"""What RECORD may vouch with: "sha256 or better"; of those that hashlib has these are in use."""
_DIGITS: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


class Recorded(msgspec.Struct, frozen=True):
    """A row of RECORD: a path relative to the directory that holds the ``.dist-info``, and what vouches for the file.

    ``algorithm`` is empty where RECORD gives no hash that is believed.
    """

    path: str
    algorithm: str = ""
    digest: bytes = b""
    size: int | None = None


def recorded(attempted: str, content: bytes, *, advice: str = "") -> Iterator[Recorded]:
    """Yield the rows of a RECORD; raises `InvalidInput`, with ``advice``, for one that cannot be read."""
    try:
        for row in csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")):
            if row:
                yield _row(row)
    except (csv.Error, ValueError) as error:
        happened = f"its RECORD cannot be read ({error})".replace("\n", " ")
        raise InvalidInput(attempted, happened, advice) from None


def record_text(rows: Iterable[tuple[str, bytes, int]], own: str) -> bytes:
    """Return a RECORD of ``(path, sha256, size)``, without a hash where that is empty, and of itself, at ``own``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for path, digest, size in rows:
        hashed = "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode() if digest else ""
        writer.writerow((path, hashed, str(size)))
    writer.writerow((own, "", ""))
    return text.getvalue().encode()


def _row(row: Sequence[str]) -> Recorded:
    path, hashed, digits = [*row, "", ""][:3]
    size = int(digits) if _DIGITS.fullmatch(digits) else None
    algorithm, _, encoded = hashed.partition("=")
    if (digest_bytes := _DIGEST_BYTES.get(algorithm)) is not None:
        digest = base64.urlsafe_b64decode(encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4))
        if len(digest) == digest_bytes:
            return Recorded(path, algorithm, digest, size)
    return Recorded(path, size=size)
