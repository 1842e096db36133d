"""Whether a stored file is still the one that its index lists under its name: decided by what the index and its server say.

A sha256 on the page decides alone.  Else it is what tells contents apart: other hashes, size, upload time, and the validators of
answers (RFC 9110, 8.8).  What says nothing contradicts nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from wheelfs.core.hashes import checkable, contradiction, unchecked

if TYPE_CHECKING:
    from wheelfs.model.links import FileLink, Validators

_CLOCKS_US: Final = 300_000_000
"""How far the clocks of an index and of this machine may be apart."""


class Known(Protocol):
    """What is known of a stored file; see `wheelfs.store.catalog.records.StoredName`."""

    @property
    def sha256(self) -> bytes: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def added_at_us(self) -> int: ...
    @property
    def upload_time_us(self) -> int | None: ...
    @property
    def hashes(self) -> dict[str, str] | None: ...
    @property
    def validators(self) -> tuple[Validators, ...]: ...


def replacement(link: FileLink, known: Known, *, said: FileLink | None) -> str | None:
    """Return why a page lists another file than the stored one under its name, as a phrase; None when it does not.

    ``said`` is what the page said of that name before; a size is compared with it, since some indexes state wrong ones.
    """
    if link.sha256 is not None:
        # Of two files that were listed by their sha256 neither passes for the other, and the stored one is of use while its index
        # is away; of one that was listed by its name alone, the name now says something else.
        by_name_alone = said is not None and said.sha256 is None and not said.other_hashes
        return "its index gives a sha256 for it now, of another file" if by_name_alone and link.sha256 != known.sha256 else None
    wrong = contradiction(link.other_hashes, known.hashes or {})
    if wrong is not None:
        return f"it is not what its index lists: {wrong}"
    if said is not None and _differ(said.size_bytes, link.size_bytes):
        return f"its index lists it with {link.size_bytes} bytes now, and with {said.size_bytes} before"
    if _differ(known.upload_time_us, link.upload_time_us):
        return "its index gives another upload time for it now"
    if known.upload_time_us is None and (link.upload_time_us or 0) > known.added_at_us + _CLOCKS_US:
        return "it was uploaded after the stored one came here"
    if said is not None and said.other_hashes and link.other_hashes and _unlike(said.other_hashes, link.other_hashes):
        return "its index gives another hash for it now"
    return None


def lists_another(link: FileLink, said: FileLink) -> bool:
    """Return whether a page lists another content under a name than it did before, by what both say."""
    if link.sha256 is not None and said.sha256 is not None:
        return link.sha256 != said.sha256
    return _differ(said.size_bytes, link.size_bytes) or _unlike(said.other_hashes or {}, link.other_hashes or {})


def is_checked(link: FileLink, known: Known) -> bool:
    """Return whether a stored file was compared with all that its index vouches with now and that can be checked."""
    return link.sha256 is not None or not unchecked(link.other_hashes, known.hashes)


def is_vouched(link: FileLink) -> bool:
    """Return whether all hashes that an index gives can be checked; what cannot be must not be passed off as checked."""
    return link.sha256 is not None or len(checkable(link.other_hashes)) == len(link.other_hashes or {})


def is_other(answer: Validators, size_bytes: int | None, known: Known) -> str | None:
    """Return why a server's answer is about another content than the stored one, as a phrase; None when it need not be.

    Of what was stored without validators only what was changed since counts as another.
    """
    if _differ(size_bytes, known.size_bytes):
        return f"its server has {size_bytes} bytes under its name now, and not {known.size_bytes}"
    if any(_agree(answer, one) for one in known.validators):
        return None
    if not known.validators:
        modified_us = _modified_us(answer.last_modified)
        return "its server has changed it since" if (modified_us or 0) > known.added_at_us + _CLOCKS_US else None
    if answer.etag is None and answer.last_modified is None:
        return None
    return "its server has another entity tag or time for it now"


def _agree(one: Validators, other: Validators) -> bool:
    """Return whether two answers can be of one content: by their entity tags where both have one, else by their times."""
    if one.etag is not None and other.etag is not None:
        return one.etag.removeprefix("W/") == other.etag.removeprefix("W/")
    return one.last_modified is None or other.last_modified is None or one.last_modified == other.last_modified


def _modified_us(text: str | None) -> int | None:
    from email.utils import parsedate_to_datetime  # half as long to import as LMDB, and most commands compare no files

    try:
        return None if text is None else round(parsedate_to_datetime(text).timestamp() * 1e6)
    except (ValueError, OverflowError):
        return None


def _differ(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and one != other


def _unlike(one: dict[str, str], other: dict[str, str]) -> bool:
    return any(other.get(name, value) != value for name, value in one.items())
