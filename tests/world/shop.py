"""What a habit has at hand: one project of two versions, its host, and words to write its pages with."""

from __future__ import annotations

import hashlib
import html
import io
import json
import tarfile
import time
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tests.fakes import pages
from tests.fakes.wheels import build_sdist, build_wheel, sdist_filename, wheel_filename
from tests.world.site import Site, content

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.fakes.server import Answer, Request

FILES = "/files/"
BIG = 400_000
"""Bytes of a wheel that is read in parts, and not stored whole with its end."""


@dataclass(frozen=True, slots=True)
class Item:
    """A file on the host: ``path`` is where."""

    filename: str
    content: bytes
    path: str

    def digest(self, kind: str = "sha256") -> str:
        """The truth, in hexadecimal."""
        return hashlib.new(kind, self.content).hexdigest()

    @property
    def fragment(self) -> str:
        """What a good index puts behind the address."""
        return f"sha256={self.digest()}"


class Shop:
    """One project at its first index, which is on ``site``, and other hosts where a habit needs them."""

    def __init__(self, project: str, sites: Sequence[Site], roots: Sequence[str], hosts: Sequence[int]) -> None:
        self.project = project
        self.package = project.replace("-", "_")
        self.sites = sites
        self.site = sites[0]
        self.roots = roots
        self._hosts = hosts
        self.requirements_txt: str | None = None
        self._first_s: dict[str, float] = {}

    def begin_try(self) -> None:
        """Called before every install: nothing has been asked in it yet."""
        self._first_s.clear()

    def is_early(self, what: str, within_s: float = 0.0) -> bool:
        """Tell whether this is the first question for ``what`` in this install, or not ``within_s`` seconds after it."""
        now_s = time.monotonic()
        first_s = self._first_s.setdefault(what, now_s)
        return first_s == now_s or now_s < first_s + within_s

    def requirements(self, line: str) -> None:
        """Have clients install this line of a requirements.txt, with its hashes."""
        self.requirements_txt = line + "\n"

    # --- files -----------------------------------------------------------------------------------------------------

    def build(self, version: str = "2.0", build: str = "good", *, name: str | None = None, **how: Any) -> bytes:
        """Return a wheel whose module says which build it is."""
        package = self.package
        files = {f"{package}/__init__.py": f"BUILD = {build!r}\n".encode()}
        return build_wheel(name or self.project, version, files=files, **how)

    def put(self, path: str, body: bytes, *, site: Site | None = None, **how: Any) -> None:
        """Answer ``path`` with ``body``; ``how`` goes to `content`."""
        (site or self.site).routes[path] = content(body, **how)

    def wheel(
        self,
        version: str = "2.0",
        build: str = "good",
        *,
        filename: str | None = None,
        path: str | None = None,
        site: Site | None = None,
        tag: str = "py3-none-any",
        served: Mapping[str, Any] | None = None,
        **how: Any,
    ) -> Item:
        """Host a wheel; ``served`` goes to `content`, ``how`` to `build_wheel`."""
        made = self.build(version, build, tag=tag, **how)
        name = filename or wheel_filename(self.project, version, tag=tag)
        where = path or FILES + quote(name, safe="!")
        self.put(where, made, site=site, **(served or {}))
        return Item(name, made, where)

    def sdist(self, version: str = "2.0", *, filename: str | None = None, served: Mapping[str, Any] | None = None) -> Item:
        """Host a source distribution that clients can build; its module is the one of the wheel that it brings along."""
        made = build_sdist(self.project, version, wheel=self.build(version))
        name = filename or sdist_filename(self.project, version)
        self.put(FILES + name, made, **(served or {}))
        return Item(name, made, FILES + name)

    def zip_sdist(self) -> Item:
        """Host a source distribution of version 2.0 in the form that is older than PEP 517."""
        packed = io.BytesIO()
        with (
            tarfile.open(fileobj=io.BytesIO(build_sdist(self.project, "2.0", wheel=self.build()))) as made,
            zipfile.ZipFile(packed, "w") as archive,
        ):
            for member in made.getmembers():
                archive.writestr(zipfile.ZipInfo(member.name), made.extractfile(member).read())  # type: ignore[union-attr]
        name = f"{self.package}-2.0.zip"
        self.put(FILES + name, packed.getvalue())
        return Item(name, packed.getvalue(), FILES + name)

    def odd_wheel(self, body: bytes, fragment: str | None = None) -> Item:
        """Host these bytes as version 2.0 beside a good 1.0, and serve a page of both."""
        filename = wheel_filename(self.project, "2.0")
        item = Item(filename, body, FILES + filename)
        self.put(item.path, body)
        self.html(a(self.wheel("1.0"), fragment), a(item, fragment))
        return item

    # --- pages -----------------------------------------------------------------------------------------------------

    def page_path(self, project: str | None = None, index: int = 0) -> str:
        """Where the project's page is."""
        return f"{self.roots[index].rstrip('/')}/{project or self.project}/"

    def serve_page(
        self, body: bytes, content_type: str = "text/html; charset=utf-8", *, index: int = 0, site: Site | None = None, **how: Any
    ) -> None:
        """Answer the project's page with exactly this, and the root of the index with a list of one."""
        where = site or self.sites[self._hosts[index]]
        how.setdefault("ranges", "no")
        where.routes[self.page_path(index=index)] = content(body, content_type=content_type, **how)
        listed = pages.root_html([self.project])
        where.routes.setdefault(f"{self.roots[index].rstrip('/')}/", content(listed, content_type="text/html", ranges="no"))

    def html(self, *anchors: str, head: str = "", index: int = 0, **how: Any) -> None:
        """Serve a page of these anchors."""
        body = f"<!DOCTYPE html><html><head><title>Links for {self.project}</title>{head}</head><body>\n"
        self.serve_page((body + "<br>\n".join(anchors) + "\n</body></html>\n").encode(), index=index, **how)

    def json(self, *files: Mapping[str, Any], page: Mapping[str, Any] | None = None, index: int = 0, **how: Any) -> None:
        """Serve a page of these entries; ``page`` replaces or adds keys of the page itself."""
        whole = {"meta": {"api-version": "1.1"}, "name": self.project, "files": list(files), **(page or {})}
        how.setdefault("content_type", pages.JSON)
        self.serve_page(json.dumps(whole).encode(), index=index, **how)

    def route(self, path: str, reply: Any, *, site: Site | None = None) -> None:
        """Answer ``path`` by calling ``reply`` with the request."""
        (site or self.site).routes[path] = reply

    def wrap_page(self, change: Any, *, index: int = 0) -> None:
        """Pass the answer of the project's page through ``change(request, answer)``."""
        self.wrap(self.page_path(index=index), change)

    def wrap(self, path: str, change: Any) -> None:
        """Pass the answer of ``path`` through ``change(request, answer)``."""
        before = self.site.routes[path]

        def reply(request: Request) -> Answer:
            changed: Answer = change(request, before(request))
            return changed

        self.site.routes[path] = reply


def a(item: Item, fragment: str | None = None, *, href: str | None = None, text: str | None = None, **attributes: str) -> str:
    """Return an anchor; ``fragment`` is the truth unless given, "" for none.  Attributes: ``data_yanked="why"``."""
    fragment = item.fragment if fragment is None else fragment
    address = (href or item.path) + (f"#{fragment}" if fragment else "")
    written = "".join(f' {key.replace("_", "-")}="{html.escape(value)}"' for key, value in attributes.items())
    return f'<a href="{html.escape(address)}"{written}>{html.escape(item.filename if text is None else text)}</a>'


def entry(item: Item, **fields: Any) -> dict[str, Any]:
    """Return a file of a JSON page, complete and true unless ``fields`` say otherwise (``...`` removes one)."""
    said: dict[str, Any] = {
        "filename": item.filename,
        "url": item.path,
        "hashes": {"sha256": item.digest()},
        "size": len(item.content),
        "requires-python": None,
        "yanked": False,
        "upload-time": "2024-05-06T07:08:09.000000Z",
        **{key.replace("_", "-"): value for key, value in fields.items()},
    }
    return {key: value for key, value in said.items() if value is not ...}


def large_page(shop: Shop, fragment: str | None = None, **how: Any) -> Item:
    """Serve a page of two versions, the newer one large enough to be read in parts; return that one."""
    wheel = shop.wheel(big_bytes=BIG, **how)
    shop.html(a(shop.wheel("1.0"), fragment), a(wheel, fragment))
    return wheel
