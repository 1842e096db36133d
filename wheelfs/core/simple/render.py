"""A project's page in either form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from wheelfs.core.simple import html_render, json_render

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wheelfs.core.simple.html_render import RenderedFile
    from wheelfs.model.links import ProjectPage


def render_project_page(
    form: Literal["html", "json"],
    page: ProjectPage,
    files: Iterable[RenderedFile],
    *,
    fileless_versions: Iterable[str] = (),
    comments: Iterable[str] = (),
) -> bytes:
    """Return the page of ``page.project`` with ``files`` in place of its own, and what else ``page`` says of the project.

    ``fileless_versions`` have no place in the HTML form.
    """
    if form == "json":
        return json_render.render_project_page(
            page.project,
            files,
            status=page.status,
            status_reason=page.status_reason,
            tracks=page.tracks,
            alternate_locations=page.alternate_locations,
            fileless_versions=fileless_versions,
            comments=comments,
        )
    return html_render.render_project_page(
        page.project,
        files,
        status=page.status,
        status_reason=page.status_reason,
        tracks=page.tracks,
        alternate_locations=page.alternate_locations,
        comments=comments,
    )
