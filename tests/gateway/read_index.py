"""Reads a project's page with two client libraries, as JSON and as HTML, and prints what they found; runs in their environment.

Usage: read_index.py URL-OF-SIMPLE PROJECT.  Prints one JSON object of readers and forms; what a form cannot say is left out.
"""

from __future__ import annotations

import json
import sys
import urllib.request
import warnings
from typing import Any
from urllib.parse import urljoin

from mousebender import simple
from pypi_simple import ACCEPT_HTML_ONLY, ACCEPT_JSON_ONLY, PyPISimple

FORMS = {"json": ("application/vnd.pypi.simple.v1+json", ACCEPT_JSON_ONLY), "html": ("text/html", ACCEPT_HTML_ONLY)}


def by_pypi_simple(url: str, project: str, form: str) -> dict[str, Any]:
    with PyPISimple(url) as client:
        page = client.get_project_page(project, accept=FORMS[form][1])
    found: dict[str, Any] = {
        "api-version": page.repository_version,
        "status": page.status and page.status.value,
        "status-reason": page.status_reason,
        "tracks": page.tracks,
        "alternate-locations": page.alternate_locations,
        "files": {},
    }
    if form == "json":
        found["versions"] = page.versions
    for package in page.packages:
        file = {
            "url": package.url,
            "hashes": package.digests,
            "requires-python": package.requires_python,
            "yanked": (package.yanked_reason or True) if package.is_yanked else False,
            "metadata": package.metadata_digests if package.has_metadata else False,
            "provenance": package.provenance_url,
        }
        if form == "json":
            file |= {"size": package.size, "upload-time": package.upload_time and package.upload_time.isoformat()}
        found["files"][package.filename] = file
    return found


def by_mousebender(url: str, project: str, form: str) -> dict[str, Any]:
    page_url = simple.create_project_url(url, project)
    with urllib.request.urlopen(urllib.request.Request(page_url, headers={"Accept": FORMS[form][0]})) as reply:
        text, content_type = reply.read().decode(), reply.headers["Content-Type"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of versions of the API that it reads all the same
        page: Any = simple.parse_project_details(text, content_type, project)
    found: dict[str, Any] = {"files": {}}
    if form == "json":
        found |= {"versions": page["versions"], "api-version": page["meta"]["api-version"]}
    for told in page["files"]:
        metadata = told.get("core-metadata", False)
        file = {
            "url": urljoin(page_url, told["url"]),
            "hashes": told["hashes"],
            "requires-python": told.get("requires-python"),
            "yanked": told.get("yanked", False),
            "metadata": {} if metadata is True else metadata,
        }
        if form == "json":
            file |= {name: told.get(name) for name in ("size", "upload-time", "provenance")}
        found["files"][told["filename"]] = file
    return found


if __name__ == "__main__":
    where, name = sys.argv[1:]
    readers = {"pypi-simple": by_pypi_simple, "mousebender": by_mousebender}
    print(json.dumps({f"{reader} {form}": read(where, name, form) for reader, read in readers.items() for form in FORMS}))
