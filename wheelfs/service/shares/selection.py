"""Files of a share that are meant by words: for ``pull``, and for taking them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from wheelfs.errors import InvalidInput, NotKnown
from wheelfs.model.condemned import FRESH_S
from wheelfs.model.names import kind_of, parse_project_name, project_and_version
from wheelfs.model.share_catalog import file_key
from wheelfs.reports.files import KeptFile
from wheelfs.service.shares.condemned_view import running_s

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wheelfs.model.shared import SharedFile
    from wheelfs.remote.share.share import WrittenShare


def meant(files: Sequence[SharedFile], verb: str, words: Sequence[str], url: str) -> list[SharedFile]:
    """Return the files that are meant by ``words``, each a filename, a project, or a requirement like ``numpy>=2``.

    Raises `NotKnown` when a word means none of them, `InvalidInput` when it is none of the three.
    """
    found: dict[int, SharedFile] = {}
    for word in words:
        some = [file for file in files if _fits(file, verb, word)]
        if not some:
            happened = f"the share {url} has no file that is called so or fits"
            raise NotKnown(f"{verb} {word}", happened, "wheelfs pull without names lists all")
        found |= {id(file): file for file in some}
    return list(found.values())


def _fits(file: SharedFile, verb: str, word: str) -> bool:
    if project_and_version(word) is not None and kind_of(word) != "other":
        return file.filename == word
    try:
        requirement = Requirement(word)
    except InvalidRequirement as error:
        raise InvalidInput(f"{verb} {word[:200]!r}", f"it is no filename, project or requirement ({error})") from None
    named = project_and_version(file.filename)
    return (
        named is not None
        and parse_project_name(requirement.name) == file.project
        and requirement.specifier.contains(named[1], prereleases=True)
    )


def take_out(share: WrittenShare, words: Sequence[str], *, dry_run: bool) -> Iterator[KeptFile]:
    """Let nobody ask the share for the files that ``words`` mean, and yield each; their room is given back by a collection.

    Raises `NotKnown` and `InvalidInput` before anything is done, and `OriginError`.
    """
    share.catalog.check()
    files = meant(share.catalog.files(), "remove", words, share.url)
    if not dry_run:
        began_s = running_s()
        keys = [file_key(file) for file in files]
        share.catalog.append(None, [], keys, may_tell=lambda: running_s() - began_s < FRESH_S)
    for file in files:
        yield KeptFile(
            filename=file.filename,
            project=file.project,
            sha256=file.sha256.hex(),
            size_bytes=file.size_bytes,
            pinned=False,
            private=file.private,
        )
