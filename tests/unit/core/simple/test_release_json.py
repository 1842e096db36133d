"""What is said of one version, as poetry reads it."""

from __future__ import annotations

import json
from typing import Any

from packaging.version import Version

from wheelfs.core.simple.html_render import RenderedFile
from wheelfs.core.simple.release_json import render_release
from wheelfs.model.links import FileLink
from wheelfs.model.names import ProjectName

WHEEL = FileLink("demo-1.0-py3-none-any.whl", "https://index.example/w", sha256=bytes(32), size_bytes=7, requires_python=">=3.8")
SDIST = FileLink("demo-1.0.tar.gz", "https://index.example/s", sha256=b"\xcd" * 32, yanked="broken", upload_time_us=1_000_000)


def said(*links: FileLink) -> dict[str, Any]:
    files = [RenderedFile(link, url=link.url) for link in links]
    told: dict[str, Any] = json.loads(render_release(ProjectName("demo"), Version("1.0"), files))
    return told


def test_files_are_told_with_what_poetry_compares() -> None:
    wheel, sdist = said(WHEEL, SDIST)["urls"]
    assert wheel == {
        "filename": "demo-1.0-py3-none-any.whl",
        "url": "https://index.example/w",
        "packagetype": "bdist_wheel",
        "digests": {"sha256": "00" * 32},
        "size": 7,
        "requires_python": ">=3.8",
        "upload_time_iso_8601": None,
        "yanked": False,
        "yanked_reason": None,
    }
    assert (sdist["packagetype"], sdist["yanked_reason"]) == ("sdist", "broken")
    assert sdist["upload_time_iso_8601"] == "1970-01-01T00:00:01Z"


def test_what_the_version_needs_is_not_known_and_it_is_yanked_when_all_of_it_is() -> None:
    info = said(WHEEL, SDIST)["info"]
    assert (info["requires_dist"], info["requires_python"], info["yanked"]) == (None, ">=3.8", False)
    assert (said(SDIST)["info"]["yanked"], said(SDIST)["info"]["yanked_reason"]) == (True, "broken")


def test_a_file_without_sha256_is_left_out() -> None:
    assert said(FileLink("demo-1.0.zip", "https://index.example/z"))["urls"] == []
