"""The sources of a file: the shares that may have it, and its index; and the order in which they are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wheelfs.errors import OriginUnreachable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from wheelfs.core.fetch.composition import Composition
    from wheelfs.remote.origin import Origin
    from wheelfs.remote.share.protocol import Share
    from wheelfs.service.file_refs import FileRef
    from wheelfs.service.hosts.breaker import Hosts


class Source(NamedTuple):
    """Where bytes of a file can be asked for.

    ``host`` is a URL of the host whose state counts, ``share`` the share's name, None for the file's index.  ``alternatives``
    are the addresses of further links of its page, for when the first is dead.  ``way`` is what a share is ruled out by: one that
    does not have a file may still bring parts of it.
    """

    origin: Origin
    url: str
    host: str
    share: str | None
    alternatives: tuple[str, ...] = ()
    way: str = ""


class KnownManifest(NamedTuple):
    """The composition of a file according to one share; None where that has none.  Only that share's bytes are checked by it."""

    share: str
    composition: Composition | None


class Sources:
    """The configured indexes and shares."""

    def __init__(self, *, origins: Mapping[str, Origin], shares: Sequence[Share], hosts: Hosts) -> None:
        """``origins`` are the clients of the indexes by name; ``shares`` are asked in their order, before any index."""
        self._origins = origins
        self.shares = {share.name: share for share in shares}
        self._hosts = hosts

    def of(
        self,
        ref: FileRef,
        *,
        without: Collection[str] = (),
        slow: Collection[str] = (),
        past_shares: bool = False,
        is_part: bool = False,
    ) -> list[Source]:
        """Return the sources of a file in the order to ask them: shares whose way is not in ``without``, and its index.

        ``is_part``: no more of the file is wanted than is asked for; gateways fetch that alone then.

        Only a file with a known sha256 is asked of shares, which know files by nothing else.  Shares that are ``slow`` or
        deprioritized come after the index; an index that is down comes last.  Raises `OriginUnreachable` when there is none.
        """
        first: list[Source] = []
        last: list[Source] = []
        if (sha256 := ref.link.sha256) is not None and not past_shares:
            for share in self.shares.values():
                way = f"parts of {share.name}" if is_part else share.name
                if way not in without and self._hosts.may_ask_now(share.url):
                    url = share.part_url(sha256, ref.project, ref.filename) if is_part else share.file_url(sha256)
                    source = Source(share.origin, url, share.url, share.name, way=way)
                    (last if share.name in slow or self._hosts.is_deprioritized(share.url) else first).append(source)
        try:
            index = Source(self.index_of(ref), ref.link.url, ref.link.url, None, ref.link.alternatives)
        except OriginUnreachable:
            if first or last:
                return [*first, *last]
            raise
        return [*first, index, *last] if self._hosts.may_ask(index.host) else [*first, *last, index]

    def index_of(self, ref: FileRef) -> Origin:
        """Return the client of the index that lists ``ref``; raises `OriginUnreachable` when that is not configured."""
        if not self.has_index(ref):
            raise OriginUnreachable(
                f"fetch {ref.filename}",
                f"it came from {ref.origin!r}, which is not configured",
                "add its index with --index, or add the file with `wheelfs add`",
            )
        return self._origins[ref.origin]

    def has_index(self, ref: FileRef) -> bool:
        """Return whether the index that lists ``ref`` is configured and gives its URL."""
        return self.is_configured(ref.origin) and bool(ref.link.url)

    def is_configured(self, origin: str) -> bool:
        """Return whether there is an index of this name."""
        return origin in self._origins
