"""Project pages in JSON: PEP 691 version 1.x, with PEP 592, 658/714, 700, 708, 740 and 792."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
from packaging.version import InvalidVersion

from wheelfs.core.simple.html_parse import checked_version
from wheelfs.core.simple.links import MAX_FILES, Links, Told, absolute, plain_text, size_bytes, time_us
from wheelfs.errors import OriginFault
from wheelfs.model.decoding import DECODE_ERRORS
from wheelfs.model.links import PASSED_ON, LeftOut, ProjectPage
from wheelfs.model.names import versions_of
from wheelfs.model.versions import parse_version

if TYPE_CHECKING:
    from wheelfs.model.names import ProjectName

MAX_VALUES: Final = 20 * MAX_FILES
"""A file has a dozen.  Each takes some 60 bytes of memory once it is decoded, and may take two of the body."""

_MAX_LOCATIONS: Final = 1_000


def parse_json(body: bytes, page_url: str, project: ProjectName) -> ProjectPage:
    """Return the page; raise `OriginFault` when it is not one.

    Decoded without a schema, since a schema fails as a whole: an entry with a value of the wrong type is refused by itself.
    """
    attempted = f"read the page of {project}"
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise OriginFault(attempted, f"it has more than {MAX_VALUES:,} values")
    try:
        page = _decoded(body)
    except DECODE_ERRORS:
        raise OriginFault(attempted, "the answer is no valid JSON") from None
    meta = page.get("meta") if isinstance(page, dict) else None
    version = meta.get("api-version") if isinstance(meta, dict) else None
    files = page.get("files") if isinstance(page, dict) else None
    if not isinstance(meta, dict) or not isinstance(version, str):
        raise OriginFault(
            attempted, "the answer is JSON, but no simple page", "check the index's URL (it usually ends in /simple)"
        )
    version = checked_version(version, attempted)
    if not isinstance(files, list):
        raise OriginFault(attempted, "the page has no list of files")
    links = Links(page_url, project)
    for entry in files:
        url = entry.get("url") if isinstance(entry, dict) else None
        if isinstance(url, str):
            _add(links, url, entry)
        else:
            links.refuse(LeftOut.ADDRESS)
    status, reason = _status(page, meta)
    return ProjectPage(
        project=project,
        files=tuple(links.files),
        api_version=version,
        status=status,
        status_reason=reason,
        tracks=_addresses(meta.get("tracks"), page_url),
        alternate_locations=_addresses(page.get("alternate-locations"), page_url),
        refused=links.refused,
        left_out=links.left_out,
        fileless_versions=_fileless(page.get("versions"), project, [link.filename for link in links.files]),
    )


def _decoded(body: bytes) -> Any:
    """Return the value; raises one of `DECODE_ERRORS`.

    What the quick decoder refuses may still be what Python writes, and pip reads: NaN, and halves of surrogate pairs, as which
    Python has bytes that are no UTF-8.  Every text of it passes `Links` or `plain_text`.
    """
    try:
        return msgspec.json.decode(body)
    except DECODE_ERRORS:
        return json.loads(body)


def _add(links: Links, url: str, entry: dict[str, object]) -> None:
    metadata = entry.get("core-metadata", entry.get("dist-info-metadata"))
    yanked = entry.get("yanked")  # what counts is whether it is true (PEP 691): an empty reason means no
    digest = metadata.get("sha256") if isinstance(metadata, dict) else None
    told = Told(
        hashes=_strings(entry.get("hashes")),
        size_bytes=size_bytes(entry.get("size")),
        requires_python=_text(entry.get("requires-python")),
        yanked=None if not yanked else yanked if isinstance(yanked, str) else "",
        has_metadata=metadata is True or isinstance(metadata, dict),
        metadata_sha256="" if digest is not None and not isinstance(digest, str) else digest,
        upload_time_us=time_us(entry.get("upload-time")),
        passed_on={one.field: text for one in PASSED_ON if (text := _text(entry.get(one.key))) is not None},
    )
    links.add(url, _text(entry.get("filename")) or "", told)


def _status(page: dict[str, object], meta: dict[str, object]) -> tuple[str | None, str | None]:
    """Return status and reason (PEP 792 puts both into an object; drafts had a string and a place in ``meta``)."""
    told = page.get("project-status", meta.get("project-status"))
    if isinstance(told, dict):
        status, reason = _text(told.get("status")), _text(told.get("reason"))
    else:
        status, reason = _text(told), _text(meta.get("project-status-reason"))
    return None if status is None else plain_text(status), None if reason is None else plain_text(reason)


def _fileless(told: object, project: str, filenames: list[str]) -> tuple[str, ...]:
    """Return the versions that an index names (PEP 700) without having a file of them; what is no version is left out."""
    if not isinstance(told, list) or len(told) > MAX_FILES:
        return ()
    found = set(versions_of(filenames, project).values())
    named = set()
    for text in told:
        with suppress(InvalidVersion):
            named.add(parse_version(text))
    return tuple(map(str, sorted(named - found)))


def _addresses(value: object, page_url: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    found = (absolute(page_url, item) for item in value[:_MAX_LOCATIONS] if isinstance(item, str))
    return tuple(url for url in found if url is not None)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _strings(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > 16:
        return {}
    return {key: item for key, item in value.items() if isinstance(item, str)}
