"""Simple-repository pages as an index would write them (PEP 503, 658/714, 691, 700)."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HTML = "text/html"
JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(frozen=True, slots=True)
class Hosted:
    """A file as the index offers it.  ``sha256``, ``size`` and ``metadata`` are what the index *says*, true or not."""

    project: str
    filename: str
    content: bytes
    sha256: str
    size: int
    metadata: bytes | None = None
    metadata_sha256: str | None = None
    requires_python: str | None = None
    yanked: str | bool = False
    upload_time: str | None = None


@dataclass(frozen=True, slots=True)
class Says:
    """What pages say about each file.  ``prefix`` is put before the filename to make its URL, ``query`` after it."""

    prefix: str
    base: str | None
    hashes: bool
    sizes: bool
    upload_times: bool
    core_metadata: bool
    query: str = ""


def project_html(project: str, files: Sequence[Hosted], says: Says) -> bytes:
    """Return a PEP 503 page; sizes and upload times have no place in it (PEP 700 is JSON only)."""
    base = f'<base href="{html.escape(says.base)}">' if says.base else ""
    links = "\n".join(_anchor(file, says) for file in files)
    head = f'<meta name="pypi:repository-version" content="1.1">{base}<title>Links for {html.escape(project)}</title>'
    return f"<!DOCTYPE html>\n<html><head>{head}</head><body>\n{links}\n</body></html>\n".encode()


def _anchor(file: Hosted, says: Says) -> str:
    fragment = f"#sha256={file.sha256}" if says.hashes else ""
    attributes = {"href": says.prefix + file.filename.replace("+", "%2B") + says.query + fragment}
    if file.requires_python is not None:
        attributes["data-requires-python"] = file.requires_python
    if file.yanked is not False:
        attributes["data-yanked"] = file.yanked if isinstance(file.yanked, str) else ""
    if says.core_metadata and file.metadata is not None:
        attributes["data-core-metadata"] = f"sha256={file.metadata_sha256}"
    written = " ".join(f'{key}="{html.escape(value)}"' for key, value in attributes.items())
    return f"<a {written}>{html.escape(file.filename)}</a><br>"


def project_json(project: str, files: Sequence[Hosted], says: Says) -> bytes:
    """Return a PEP 691 page: API 1.1 when sizes are told, 1.0 otherwise."""
    page = {
        "meta": {"api-version": "1.1" if says.sizes else "1.0"},
        "name": project,
        "files": [_json_file(file, says) for file in files],
    }
    return json.dumps(page).encode()


def _json_file(file: Hosted, says: Says) -> dict[str, object]:
    entry: dict[str, object] = {
        "filename": file.filename,
        "url": says.prefix + file.filename.replace("+", "%2B") + says.query,
        "hashes": {"sha256": file.sha256} if says.hashes else {},
        "requires-python": file.requires_python,
        "yanked": file.yanked,
    }
    if says.sizes:
        entry["size"] = file.size
    if says.upload_times and file.upload_time is not None:
        entry["upload-time"] = file.upload_time
    if says.core_metadata and file.metadata is not None:
        entry["core-metadata"] = {"sha256": file.metadata_sha256}
    return entry


def root_html(projects: Sequence[str]) -> bytes:
    """Return the list of all projects (PEP 503)."""
    links = "\n".join(f'<a href="{project}/">{project}</a>' for project in projects)
    return f"<!DOCTYPE html>\n<html><body>\n{links}\n</body></html>\n".encode()


def root_json(projects: Sequence[str]) -> bytes:
    """Return the list of all projects (PEP 691)."""
    return json.dumps({"meta": {"api-version": "1.0"}, "projects": [{"name": project} for project in projects]}).encode()
