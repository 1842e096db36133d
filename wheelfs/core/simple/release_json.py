"""What an index says of one version of a project as JSON (``/pypi/NAME/VERSION/json``): PyPI's own interface, which poetry asks.

Only what can be said without the index is: its files.  Source: "JSON API" in PyPI's documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from wheelfs.core.times import rfc3339
from wheelfs.model.names import kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.version import Version

    from wheelfs.core.simple.html_render import RenderedFile
    from wheelfs.model.names import ProjectName

_TYPES: Final = {"wheel": "bdist_wheel", "sdist": "sdist"}


def render_release(project: ProjectName, version: Version, files: Sequence[RenderedFile]) -> bytes:
    """Return what is said of a version.

    ``requires_dist`` is null, which means "not known": poetry then reads the METADATA of the files.  Files without a sha256,
    which clients take for granted here, are left out.
    """
    yanked = [file.link.yanked for file in files]
    all_yanked = bool(yanked) and all(reason is not None for reason in yanked)
    info = {
        "name": project,
        "version": str(version),
        "summary": None,
        "requires_dist": None,
        "requires_python": next((file.link.requires_python for file in files if file.link.requires_python), None),
        "yanked": all_yanked,
        "yanked_reason": (yanked[0] or None) if all_yanked else None,
    }
    return msgspec.json.encode({"info": info, "urls": [_file(file) for file in files if file.link.sha256 is not None]})


def _file(file: RenderedFile) -> dict[str, Any]:
    link = file.link
    assert link.sha256 is not None, "others are left out"
    return {
        "filename": link.filename,
        "url": file.href,
        "packagetype": _TYPES.get(kind_of(link.filename), "other"),
        "digests": {"sha256": link.sha256.hex()},
        "size": link.size_bytes,
        "requires_python": link.requires_python,
        "upload_time_iso_8601": None if link.upload_time_us is None else rfc3339(link.upload_time_us),
        "yanked": link.yanked is not None,
        "yanked_reason": link.yanked or None,
    }
