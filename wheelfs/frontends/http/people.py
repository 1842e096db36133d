"""Pages for people: projects, versions and files, what is stored, and the lines to paste; they need no JavaScript."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import trio
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from wheelfs.errors import InvalidInput
from wheelfs.frontends.http.messages import Reply, Request, Text, plain
from wheelfs.model.names import parse_project_name

if TYPE_CHECKING:
    from wheelfs.service.overview import Overview

HTML: Final = "text/html; charset=utf-8"
# What strangers wrote is on these pages, escaped; this is the second lock on that door.
_POLICY: Final = ("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'")
_MAX_QUERY: Final = 100


class PeoplePages:
    """Renders the pages below ``/``, ``/project/`` and ``/-/style.css``."""

    def __init__(self, overview: Overview) -> None:
        """Show what ``overview`` tells."""
        self._overview = overview

    def covers(self, request: Request) -> bool:
        """Tell whether the path is one of these pages."""
        names = request.names
        return names is not None and (not names or names[0] == "project" or names == ("-", "style.css"))

    async def reply(self, request: Request) -> Reply:
        """Answer a request that `covers` claimed."""
        match request.names:
            case ():
                return await self._home(request)
            case ("project", name):
                return await self._project(request, name)
            case ("-", "style.css"):
                return Text(HTTPStatus.OK, "text/css; charset=utf-8", _style(), (("Cache-Control", "max-age=3600"),))
        return plain(HTTPStatus.NOT_FOUND, "no such page")

    async def _home(self, request: Request) -> Reply:
        query = request.query.get("q", "").strip()[:_MAX_QUERY]
        after = request.query.get("after")
        exact = _project_name(query)
        known = await trio.to_thread.run_sync(self._overview.projects, exact or query.lower(), after)
        stats = await trio.to_thread.run_sync(self._overview.stats)
        return _page(
            "home.html",
            query=query,
            after=after,
            exact=exact,
            projects=known,
            stats=stats,
            status=self._overview.status(),
            host=request.host,
            lines=setup_lines(request.base_url),
        )

    async def _project(self, request: Request, name: str) -> Reply:
        project = _project_name(name)
        if project is not None and (project != name or not request.is_directory):
            return plain(HTTPStatus.MOVED_PERMANENTLY, "projects have one name", ("Location", f"/project/{project}/"))
        shown = None if project is None else await trio.to_thread.run_sync(self._overview.project, project)
        if shown is None:
            return plain(HTTPStatus.NOT_FOUND, f"{name} is not known here; /simple/{quote(name)}/ asks the indexes")
        lines = setup_lines(request.base_url, shown.project)
        del lines["poetry"]  # it is about the index, not about one package
        by_version = groupby(shown.files, key=lambda file: file.version)
        versions = [(version or "other files", list(some)) for version, some in by_version]
        return _page("project.html", query="", project=shown, versions=versions, lines=lines)


def setup_lines(base_url: str, package: str = "PACKAGE") -> dict[str, str]:
    """Return the lines that make pip, uv and poetry use the gateway at ``base_url`` (without a slash at its end)."""
    return {
        "pip": f"pip install --index-url {base_url}/simple/ {package}",
        "uv": f"uv pip install --default-index {base_url}/simple/ {package}",
        "poetry": f"poetry source add --priority primary wheelfs {base_url}/simple/",
    }


def _project_name(text: str) -> str | None:
    try:
        return parse_project_name(text)
    except InvalidInput:
        return None


def _page(template: str, **values: Any) -> Text:
    text = _environment().get_template(template).render(size=size_text, **values)
    return Text(HTTPStatus.OK, HTML, text.encode(), (_POLICY, ("Cache-Control", "no-cache")))


def size_text(size_bytes: int) -> str:
    """Return a number of bytes for people, in decimal units."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("wheelfs.frontends.http"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
    )


@cache
def _style() -> bytes:
    return (files("wheelfs.frontends.http") / "templates" / "style.css").read_bytes()
