"""The web UI: projects, versions and files, what is stored, and the lines to paste; it needs no JavaScript."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import trio
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

import wheelfs
from wheelfs.core.formatting import size_text
from wheelfs.errors import InvalidInput
from wheelfs.frontends.http.messages import IMMUTABLE, POLICY, Reply, Request, Text, plain
from wheelfs.frontends.http.set_up import settings_files, setup_lines
from wheelfs.model.names import parse_project_name

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from wheelfs.reports.files import ShownFile, ShownProject
    from wheelfs.service.overview import Overview

HTML: Final = "text/html; charset=utf-8"
_QUIET: Final = ("Referrer-Policy", "same-origin")
"""Not ``no-referrer``: with that browsers send a form of these pages as if it came from nowhere."""
_MAX_QUERY: Final = 100
_STATES: Final = {"up": "answers", "down": "does not answer", "unknown": "not asked yet"}


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a project; ``uploaded`` (RFC 3339) is when its first file came."""

    name: str
    files: Sequence[ShownFile]

    @property
    def stored(self) -> int:
        return sum(file.state == "stored" for file in self.files)

    @property
    def stored_bytes(self) -> int:
        """The sizes of the files that are stored."""
        return sum(file.size_bytes or 0 for file in self.files if file.state == "stored")

    @property
    def private(self) -> bool:
        return any(file.private for file in self.files)

    @property
    def uploaded(self) -> str | None:
        return min((file.upload_time for file in self.files if file.upload_time is not None), default=None)

    @property
    def yanked(self) -> bool:
        return all(file.yanked is not None for file in self.files)


class HtmlPages:
    """Renders the pages below ``/`` and ``/project/``, and their style."""

    def __init__(self, overview: Overview, ask: Callable[[str], Awaitable[object]]) -> None:
        """Show what ``overview`` knows; ``ask`` asks the indexes for a project and raises `WheelfsError` where that fails."""
        self._overview = overview
        self._ask = ask

    def covers(self, request: Request) -> bool:
        """Return whether the path is one of these pages."""
        names = request.names
        return names is not None and (not names or names[0] == "project" or names == ("-", "style.css"))

    def takes_post(self, request: Request) -> bool:
        """Return whether the request is one of the forms on these pages, sent from one of them: it has the indexes asked."""
        if not self.covers(request) or not request.names or len(request.names) != 2 or "ask" not in request.query:
            return False
        # Any web page can send a form, too; browsers say where it stands.
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        return site in (None, "same-origin", "none") and (origin is None or origin.partition("://")[2] == request.host)

    async def reply(self, request: Request) -> Reply:
        """Answer a request that `covers` claimed."""
        match request.names:
            case ():
                return await self._home(request)
            case ("project", name):
                return await self._project(request, name, None)
            case ("project", name, version):
                return await self._project(request, name, version)
            case ("-", "style.css"):
                return Text(HTTPStatus.OK, "text/css; charset=utf-8", _style(), (("Cache-Control", IMMUTABLE),))
        return plain(HTTPStatus.NOT_FOUND, "no such page")

    async def _home(self, request: Request) -> Reply:
        query = request.query.get("q", "").strip()[:_MAX_QUERY]
        after = request.query.get("after")
        exact = _project_name(query)
        known = await trio.to_thread.run_sync(self._overview.projects, exact or query.lower(), after)
        status = self._overview.status()
        stats = await trio.to_thread.run_sync(self._overview.stats, status.counters)
        return _page(
            "home.html",
            query=query,
            after=after,
            exact=exact,
            projects=known,
            stats=stats,
            status=status,
            states=_STATES,
            host=request.host,
            lines=setup_lines(request.base_url, has_token=self._overview.has_token),
            settings=settings_files(request.base_url, has_token=self._overview.has_token),
            has_token=self._overview.has_token,
        )

    async def _project(self, request: Request, name: str, version: str | None) -> Reply:
        project = _project_name(name)
        if project is None:
            return _page("missing.html", HTTPStatus.NOT_FOUND, query="", what=name, project=None, is_asked=False)
        if project != name or not request.is_directory:
            below = "" if version is None else f"{quote(version, safe='')}/"
            return plain(HTTPStatus.MOVED_PERMANENTLY, "projects have one name", ("Location", f"/project/{project}/{below}"))
        if request.method == "POST":
            await self._ask(project)
        shown = await trio.to_thread.run_sync(self._overview.project, project)
        if shown is None:
            is_asked = request.method == "POST"
            return _page("missing.html", HTTPStatus.NOT_FOUND, query="", what=project, project=project, is_asked=is_asked)
        if request.method == "POST":
            return plain(HTTPStatus.SEE_OTHER, "the indexes were asked", ("Location", f"/project/{project}/"))
        versions, others = _versions(shown)
        if version is None:
            lines = _install_lines(request.base_url, project, has_token=self._overview.has_token)
            about = await trio.to_thread.run_sync(self._overview.about, shown.files)
            values = {"versions": versions, "others": others, "lines": lines, "about": about}
            return _page("project.html", query="", project=shown, has_token=self._overview.has_token, **values)
        found = next((known for known in versions if known.name == version), None)
        if found is None:
            return _page(
                "missing.html", HTTPStatus.NOT_FOUND, query="", what=f"{project} {version}", project=project, is_asked=False
            )
        lines = _install_lines(request.base_url, f"{project}=={version}", has_token=self._overview.has_token)
        about = await trio.to_thread.run_sync(self._overview.about, found.files)
        values = {"version": found, "lines": lines, "about": about}
        return _page("version.html", query="", project=shown, has_token=self._overview.has_token, **values)


def lost_page(request: Request) -> Text:
    """Return the page for an address that a person may have meant otherwise: a project's name without what stands before it."""
    [name] = request.names or ("",)
    return _page("lost.html", HTTPStatus.NOT_FOUND, query="", name=name, project=_project_name(name), base=request.base_url)


def _versions(shown: ShownProject) -> tuple[list[Version], list[ShownFile]]:
    """Return the versions, in the order of their files, and the files whose names give none."""
    # Of each version first what the gateway's own machine can use: its clients are mostly of that kind.
    groups = [
        (name, sorted(files, key=lambda file: not file.fits))
        for name, files in groupby(shown.files, key=lambda file: file.version)
    ]
    versions = [Version(name, files) for name, files in groups if name is not None]
    return versions, [file for name, files in groups if name is None for file in files]


def _install_lines(base_url: str, requirement: str, *, has_token: bool) -> dict[str, str]:
    lines = setup_lines(base_url, shlex.quote(requirement), has_token=has_token)
    del lines["poetry"]  # it is about the index, not about one package
    return lines


def _project_name(text: str) -> str | None:
    try:
        return parse_project_name(text)
    except InvalidInput:
        return None


def _page(template: str, code: HTTPStatus = HTTPStatus.OK, /, **values: Any) -> Text:
    text = (
        _environment()
        .get_template(template)
        .render(size=size_text, style=_style_address(), release=wheelfs.__version__, **values)
    )
    return Text(code, HTML, text.encode(), (POLICY, _QUIET, ("Cache-Control", "no-cache")))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("wheelfs.frontends.http"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
    )


@cache
def _style_address() -> str:
    """Return an address that changes with the style, which a browser therefore never has to ask for again."""
    return f"/-/style.css?{hashlib.blake2b(_style(), digest_size=6).hexdigest()}"


@cache
def _style() -> bytes:
    return (files("wheelfs.frontends.http") / "templates" / "style.css").read_bytes()
