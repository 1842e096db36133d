"""Whose project is it?  The rule that keeps indexes apart, as a pure function.

The first index, in order of priority, that *has* a project owns it, and no file of another index is shown beside the owner's
(uv calls this ``first-index``; mixing is what makes dependency confusion possible).  Files that were added by hand and that no
configured index lists are private: they own their project before any index, as devpi's stages do before their mirror.  Those that
were filed under an index are that index's own, and private again when it is no longer configured: a public package must not
take their place then.  While an
index that comes earlier has never answered for a project, the project is not taken from a later one: silence is not a no.

Stored files whose index is no longer configured (a renamed index, another URL) come last: they were fetched on the user's word,
so they stay installable by name, but they never compete with an index that answers, and while one is silent they are not shown
under a name that is tied.

What a share reports is believed of bytes, by their sha256, and not of names: any of its writers could claim any name.  Its file
belongs to an index that lists the sha256, or has listed it here before.  For all others shares are the last index: they are asked
when every index in charge of the name has answered that it has no such project, and never under a name that is tied to an index
(docs/design/decisions/0043-shares-own-no-names.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from wheelfs.errors import StoreDamaged

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from wheelfs.errors import WheelfsError
    from wheelfs.model.links import FileLink, ProjectPage

LOCAL: Final = "local"
"""The origin of files added by hand; no index may be called so."""

SHARE: Final = "a share"
"""The origin of files that shares report as private or as of a configured index, which does not list them; no index's name."""

TiedTo = Literal["index", "share"]


class Has(msgspec.Struct, frozen=True):
    """The index has the project; ``reachable`` tells whether files could be fetched from it now."""

    index: str
    page: ProjectPage
    reachable: bool


class HasNot(msgspec.Struct, frozen=True):
    """The index has answered that it has no such project."""

    index: str


class NoAnswer(msgspec.Struct, frozen=True):
    """The index has never answered for this project, or its answer has rotted, and why it cannot answer now."""

    index: str
    error: WheelfsError


Answer = Has | HasNot | NoAnswer


def is_rotten(answer: Answer) -> bool:
    """Tell whether there was an answer that cannot be read any more."""
    return isinstance(answer, NoAnswer) and isinstance(answer.error, StoreDamaged)


class StoredFile(msgspec.Struct, frozen=True):
    """A file in the local store or on a share: its link as its origin described it (sha256 and size are known), and the origin.

    ``private``: it was added by hand, and cannot be fetched again.  ``of_share``: only a share says what it is called, also when
    it is stored by now; ``listed_by`` are the indexes that have listed it here, and ``may_own`` tells whether it may be shown
    where no index has the project.
    """

    origin: str
    link: FileLink
    private: bool = False
    of_share: bool = False
    listed_by: tuple[str, ...] = ()
    may_own: bool = True

    def belongs_to(self, index: str) -> bool:
        """Return whether the file is the index's by what was known before it was asked."""
        return index in self.listed_by if self.of_share else self.origin == index


class Owned(msgspec.Struct, frozen=True):
    """The project belongs to ``owner``.

    ``listed`` are the links of the owner's page, ``kept`` stored files of the owner that its page does not list (gone, or added
    under its name).  ``reachable`` is True when what is not stored can be fetched now.
    """

    owner: str
    page: ProjectPage | None
    listed: tuple[FileLink, ...]
    kept: tuple[FileLink, ...]
    reachable: bool


class NoSuchProject(msgspec.Struct, frozen=True):
    """Every index in charge has answered that it has no such project."""


class Undecided(msgspec.Struct, frozen=True):
    """Whether the project exists cannot be found out now."""

    error: WheelfsError


Ownership = Owned | NoSuchProject | Undecided


def decide(
    answers: Sequence[Answer], stored: Sequence[StoredFile], *, configured: Collection[str], tied_to: TiedTo | None = None
) -> Ownership:
    """Decide who owns a project.

    ``answers`` are those of the indexes in order of priority, as far as they were needed: an index after one that has the
    project or is silent may be missing.  ``configured`` names all indexes, so that none of those is taken for a former one.
    ``tied_to``: the name is tied, to an index (and maybe shares) or to shares alone.
    """
    local = [file.link for file in stored if file.private and not file.of_share and file.origin not in configured]
    if local:  # a page may list 5,000 files, and every look-up of one comes through here
        public = {link.sha256 for answer in answers if isinstance(answer, Has) for link in answer.page.files if link.sha256}
        if any(link.sha256 not in public for link in local):
            return _only_stored(LOCAL, local)
    for answer in answers:
        own = [file.link for file in stored if file.belongs_to(answer.index)]
        match answer:
            case Has(index, page, reachable):
                listed = {(link.filename, link.sha256) for link in page.files} if own else set()
                kept = tuple(link for link in own if listed.isdisjoint({(link.filename, link.sha256), (link.filename, None)}))
                return Owned(index, page, page.files, kept, reachable)
            case HasNot(index) | NoAnswer(index) if own:
                return _only_stored(index, own)
            case HasNot():
                continue
            case NoAnswer(_, error):
                former = [] if tied_to else [file for file in stored if _is_former(file, configured)]
                return _of_one_origin(former) if former else Undecided(error)
    shared = [file for file in stored if file.of_share and file.may_own]
    if shared and tied_to == "share":  # as an index's, all of them
        return _only_stored(min(map(_precedence, shared))[1], [file.link for file in shared])
    former = [file for file in stored if _is_former(file, configured)]
    return _of_one_origin([*former, *shared]) if former or shared else NoSuchProject()


def _is_former(file: StoredFile, configured: Collection[str]) -> bool:
    return not file.of_share and file.origin not in configured and file.origin != LOCAL


def _of_one_origin(files: Sequence[StoredFile]) -> Owned:
    """Return the files of one origin, since they are not mixed either: one that was fetched from goes before a share's."""
    first = min(files, key=lambda file: (file.of_share, _precedence(file))).origin
    return _only_stored(first, [file.link for file in files if file.origin == first])


def _precedence(file: StoredFile) -> tuple[bool, str]:
    return file.origin == SHARE, file.origin


def _only_stored(owner: str, links: Sequence[FileLink]) -> Owned:
    return Owned(owner, None, (), tuple(links), reachable=False)
