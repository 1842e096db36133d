"""Whose project is it?  The rule that keeps indexes apart, as a pure function.

The first index, in order of priority, that *has* a project owns it, and no file of another index is shown beside the owner's
(uv calls this ``first-index``; mixing is what makes dependency confusion possible).  Files that were added by hand and that no
configured index lists are private: they own their project before any index, as devpi's stages do before their mirror.  Those that
were filed under an index are that index's own, and private again when it is no longer configured: a public package must not
take their place then.  While an
index that comes earlier has never answered for a project, the project is not taken from a later one: silence is not a no.

Stored files whose index is no longer configured (a renamed index, another URL) come last: they were fetched on the user's word,
so they stay installable by name, but they never compete with an index that answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wheelfs.errors import StoreDamaged

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from wheelfs.errors import WheelfsError
    from wheelfs.model.links import FileLink, ProjectPage

LOCAL: Final = "local"
"""The origin of files added by hand; no index may be called so."""


@dataclass(frozen=True, slots=True)
class Has:
    """The index has the project; ``reachable`` tells whether files could be fetched from it now."""

    index: str
    page: ProjectPage
    reachable: bool


@dataclass(frozen=True, slots=True)
class HasNot:
    """The index has answered that it has no such project."""

    index: str


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The index has never answered for this project, or its answer has rotted, and why it cannot answer now."""

    index: str
    error: WheelfsError


Answer = Has | HasNot | NoAnswer


def is_rotten(answer: Answer) -> bool:
    """Tell whether there was an answer that cannot be read any more."""
    return isinstance(answer, NoAnswer) and isinstance(answer.error, StoreDamaged)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in the local store: its link as its origin described it (sha256 and size are known), and that origin's name.

    ``private``: it was added by hand, and cannot be fetched again.
    """

    origin: str
    link: FileLink
    private: bool = False


@dataclass(frozen=True, slots=True)
class Owned:
    """The project belongs to ``owner``.

    ``listed`` are the links of the owner's page, ``kept`` stored files of the owner that its page does not list (gone, or added
    under its name).  ``reachable`` is True when what is not stored can be fetched now.
    """

    owner: str
    page: ProjectPage | None
    listed: tuple[FileLink, ...]
    kept: tuple[FileLink, ...]
    reachable: bool


@dataclass(frozen=True, slots=True)
class NoSuchProject:
    """Every index in charge has answered that it has no such project."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """Whether the project exists cannot be found out now."""

    error: WheelfsError


Ownership = Owned | NoSuchProject | Undecided


def decide(answers: Sequence[Answer], stored: Sequence[StoredFile], *, configured: Collection[str]) -> Ownership:
    """Decide who owns a project.

    ``answers`` are those of the indexes in order of priority, as far as they were needed: an index after one that has the
    project or is silent may be missing.  ``configured`` names all indexes, so that none of those is taken for a former one.
    """
    local = [file.link for file in stored if file.private and file.origin not in configured]
    if local:  # a page may list 5,000 files, and every look-up of one comes through here
        public = {link.sha256 for answer in answers if isinstance(answer, Has) for link in answer.page.files if link.sha256}
        if any(link.sha256 not in public for link in local):
            return _only_stored(LOCAL, local)
    for answer in answers:
        own = [file.link for file in stored if file.origin == answer.index]
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
                former = _former(stored, configured)
                return _only_stored(former[0].origin, [file.link for file in former]) if former else Undecided(error)
    former = _former(stored, configured)
    if former:
        return _only_stored(former[0].origin, [file.link for file in former])
    return NoSuchProject()


def _former(stored: Sequence[StoredFile], configured: Collection[str]) -> list[StoredFile]:
    """Return the stored files of one origin that is not configured now: the first by name, since they are not mixed either."""
    former = [file for file in stored if file.origin not in configured and file.origin != LOCAL]
    former.sort(key=lambda file: file.origin)
    return [file for file in former if file.origin == former[0].origin]


def _only_stored(owner: str, links: Sequence[FileLink]) -> Owned:
    return Owned(owner, None, (), tuple(links), reachable=False)
