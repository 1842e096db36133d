"""What the catalog stores, as MessagePack arrays.

Every record is an array whose length may grow: new fields go to the end and have a default, so that what an older build wrote
still reads, and what a newer one added is skipped (``docs/design/format.md``, Catalog).
"""

from __future__ import annotations

from operator import attrgetter
from typing import Final, Literal, NamedTuple

import msgspec

# At run time too: msgspec evaluates the annotations of its structs.
from wheelfs.model.links import ProjectPage, Validators  # noqa: TC001


class StoredContent(msgspec.Struct, frozen=True, array_like=True):
    """A sealed file by its sha256.  ``poisoned`` is None, or why it must not be served any more.

    ``is_zip`` is part of the format, written and not read.
    """

    size_bytes: int
    sealed_at_us: int
    is_zip: bool
    poisoned: str | None = None


class NameValue(msgspec.Struct, frozen=True, array_like=True):
    """The value beside a name's key; see `StoredName` for the fields."""

    index: str
    size_bytes: int
    added_at_us: int
    private: bool = False
    pinned: bool = False
    upload_time_us: int | None = None
    requires_python: str | None = None
    yanked: str | None = None
    metadata_sha256: bytes | None = None
    url: str | None = None
    also: tuple[str, ...] = ()
    hashes: dict[str, str] | None = None
    validators: tuple[Validators, ...] = ()
    replaced: str | None = None
    of_share: bool = False
    first_seen_us: int | None = None
    repacked: bool = False


_value_fields: Final = attrgetter(*NameValue.__struct_fields__)


class StoredName(msgspec.Struct, frozen=True, kw_only=True):
    """A name under which sealed content is shown.

    ``index`` is the origin that vouched for it, ``also`` are further indexes that list the same bytes under the same name;
    ``private`` says that it cannot be fetched again (a local file), so it is never
    evicted; ``url`` carries no credentials.  ``sha256`` is empty only on the way into `Catalog.seal`, which fills it in.
    ``of_share``: only a share said what it is called and where it is from, no index that is configured here and no user; then
    ``also`` are the indexes that have listed it here.

    ``hashes`` (hexadecimal by algorithm) are the content's own as far as they were compared with what an index vouched with, and
    what it vouched with that cannot be checked here.  ``validators`` are those of answers whose bytes were this content.
    ``replaced`` is None, or why the name means another content by now: this one is then shown nowhere, and found by its sha256.
    ``first_seen_us`` is that of its index's page (`FileLink`), for when the page lists it no more.  ``repacked``: it was made of
    unpacked files (`wheelfs.service.unpacked.repack`), and is not the file that they were once unpacked from.
    """

    project: str
    filename: str
    index: str
    size_bytes: int
    added_at_us: int
    sha256: bytes = b""
    private: bool = False
    pinned: bool = False
    upload_time_us: int | None = None
    requires_python: str | None = None
    yanked: str | None = None
    metadata_sha256: bytes | None = None
    url: str | None = None
    also: tuple[str, ...] = ()
    hashes: dict[str, str] | None = None
    validators: tuple[Validators, ...] = ()
    replaced: str | None = None
    of_share: bool = False
    first_seen_us: int | None = None
    repacked: bool = False

    @property
    def origins(self) -> tuple[str, ...]:
        """All that it belongs to, the one that vouched for it first."""
        return (self.index, *self.also)

    @property
    def key(self) -> bytes:
        """The key in the catalog, and the place to continue an iteration after."""
        return name_key(self.project, self.filename, self.sha256)

    @classmethod
    def from_stored(cls, key: bytes, value: NameValue) -> StoredName:
        """Join what the catalog keeps apart."""
        project, filename = key[:-33].split(b"\0")
        return cls(
            project=project.decode(),
            filename=filename.decode(),
            sha256=key[-32:],
            index=value.index,
            size_bytes=value.size_bytes,
            added_at_us=value.added_at_us,
            private=value.private,
            pinned=value.pinned,
            # One by one, not by `described`: that takes 2.5 times as long, and listings do this for a million names.
            upload_time_us=value.upload_time_us,
            requires_python=value.requires_python,
            yanked=value.yanked,
            metadata_sha256=value.metadata_sha256,
            url=value.url,
            also=value.also,
            hashes=value.hashes,
            validators=value.validators,
            replaced=value.replaced,
            of_share=value.of_share,
            first_seen_us=value.first_seen_us,
            repacked=value.repacked,
        )

    def value(self) -> NameValue:
        """Return what is stored beside the key."""
        return NameValue(*_value_fields(self))


class PageHead(msgspec.Struct, frozen=True, array_like=True):
    """What is known of an index's answer about a project without decoding the page.

    ``absent``: the index answered that it has no such project.  ``changed_at_us`` is when the content last became different,
    and never the same for two contents; ``digest`` tells whether it did.  ``max_age_s``: how long the answer said it is good.
    ``unreadable`` are the content keys of its wheels whose METADATA cannot be read, as long as the content stays the same.
    """

    index_url: str
    fetched_at_us: int
    changed_at_us: int
    absent: bool = False
    validators: Validators | None = None
    max_age_s: float | None = None
    digest: bytes = b""
    unreadable: tuple[bytes, ...] = ()


class PageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An index's answer about a project, on its way into the catalog; ``page`` is None when ``absent``."""

    index_url: str
    fetched_at_us: int
    validators: Validators | None = None
    absent: bool = False
    max_age_s: float | None = None
    page: ProjectPage | None = None


class ContentFacts(msgspec.Struct, frozen=True, array_like=True):
    """What was found out about a file that its index does not say.

    ``poisoned``: why its bytes are not to be served, as of ``checked_at_us``.
    """

    size_bytes: int | None = None
    etag: str | None = None
    poisoned: str | None = None
    checked_at_us: int = 0


class Change(msgspec.Struct, frozen=True, array_like=True):
    """Something visible that changed: an index's answer about a project, or a file's presence or standing."""

    kind: Literal["page", "file"]
    project: str
    filename: str | None = None
    sha256: bytes | None = None
    index: str | None = None


class Changes(NamedTuple):
    """Changes in order, numbered without gaps; ``last_seq`` is the newest one's number, to continue from.

    ``complete`` is False when older ones than the oldest kept were asked for: then anything may have changed.
    """

    changes: list[Change]
    last_seq: int
    complete: bool


class Counts(NamedTuple):
    """Totals of what is sealed: contents (``files``), names of them, and the contents' sizes summed.

    ``removed_bytes`` sums the sizes of contents that were removed since the last collection: more than what that would free.
    """

    files: int
    names: int
    raw_bytes: int
    removed_bytes: int = 0


def name_key(project: str, filename: str, sha256: bytes) -> bytes:
    """Return project, filename (each ended by a zero byte) and digest as one key, which sorts in that order."""
    return b"%b\0%b\0%b" % (project.encode(), filename.encode(), sha256)
