"""A simple repository, by default on loopback: real HTTP/1.1 over real sockets, with every habit and failure that indexes have.

Nothing here waits longer than the index lives.
"""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import io
import re
import ssl
import threading
import zipfile
import zlib
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Literal, Self
from urllib.parse import unquote

from packaging.utils import canonicalize_name

from tests.fakes import faults, pages
from tests.fakes.server import Answer, Request, Server
from tests.fakes.wheels import build_wheel, wheel_filename

FIRST_CONTACT = "/simple/pip/"
"""What a mount asks for by itself, in the background."""
_LAST_MODIFIED = formatdate(1_700_000_000, usegmt=True)


@dataclass(kw_only=True)
class Habits:
    """How an index does what others do otherwise; the defaults are the kindest.  All may change while it runs."""

    page_format: Literal["html", "json", "both"] = "both"
    sizes: bool = True
    hashes: bool = True
    upload_times: bool = True
    core_metadata: bool = True
    ranges: Literal["yes", "ignore", "refuse", "not-implemented", "suffix-unsupported", "beginning", "nonsense"] = "yes"
    """Among them: "beginning" answers a suffix with the first bytes, "nonsense" every range."""
    etags: bool = True
    content_length: bool = True
    gzip: Literal["no", "accepted", "always"] = "no"
    coding: Literal["gzip", "deflate", "br"] = "gzip"
    urls: Literal["relative", "absolute"] = "relative"
    base_href: bool = False
    redirects: bool = False
    """Pages and files are at other addresses, to which requests are redirected."""
    signatures: Literal["no", "redirects", "links"] = "no"
    """Files have addresses with a signature, which are redirected to, or stand on pages; see `FakeIndex.expire`."""
    credentials: tuple[str, str] | None = None
    """The user and password of basic auth, which all requests need."""
    no_store: bool = False
    max_age_s: int = 600
    ahead_s: float = 0.0
    """How far its clock, by which answers are dated, is ahead of ours."""
    backends: int = 1
    """Servers that share its address, asked in turn; each has entity tags of its own."""


@dataclass(kw_only=True, eq=False, repr=False)
class FakeIndex(Habits):
    """An index that runs from ``__enter__`` (or `start`) to ``__exit__`` (or `close`).  ``tls``: HTTPS, signed by `ca_pem`."""

    tls: bool = False
    address: str = "127.0.0.1"

    def __post_init__(self) -> None:
        self.signature = "signature-0"
        self._asked = 0
        self.faults: list[faults.Fault] = []
        self.requests: list[Request] = []
        self.ca_pem: bytes | None = None
        self.tls_context = self._certified() if self.tls else None
        self._files: dict[str, pages.Hosted] = {}
        self._pages: dict[str, tuple[bytes, str]] = {}
        self._lock = threading.Lock()
        self.answering = threading.Event()
        self.answering.set()
        self._server: Server | None = None
        self._port = 0

    # --- life --------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Listen; after `stop`, on the same port as before."""
        if self._server is None:
            self._server = Server(self, self.address, self._port)
            self._port = self._server.server_address[1]
            self._server.begin()

    def stop(self) -> None:
        """Refuse connections and cut the ones there are."""
        server, self._server = self._server, None
        if server is not None:
            server.end()

    def close(self) -> None:
        """Stop for good; every thread has ended when this returns."""
        self.stop()

    def hang(self) -> None:
        """Accept connections and requests from now on, and answer none."""
        self.answering.clear()

    def unhang(self) -> None:
        """Answer again, also the requests that hang."""
        self.answering.set()

    def _certified(self) -> ssl.SSLContext:
        import trustme  # costs 0.2 s, and few tests want HTTPS

        authority = trustme.CA()
        self.ca_pem = authority.cert_pem.bytes()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        return context

    # --- content -----------------------------------------------------------------------------------------------------

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self.tls else 'http'}://{self.address}:{self._port}"

    @property
    def url(self) -> str:
        """What a client is given as its index URL."""
        return f"{self.origin}/simple"

    def file_url(self, filename: str) -> str:
        """Where a file is, redirects left out."""
        return f"{self.origin}/files/{filename}"

    def add(
        self,
        filename: str,
        content: bytes,
        *,
        project: str | None = None,
        requires_python: str | None = None,
        yanked: str | bool = False,
        upload_time: str | None = "2024-05-06T07:08:09.000000Z",
        size: int | None = None,
        sha256: str | None = None,
        metadata: bytes | None = None,
    ) -> None:
        """Host a file.  ``size``, ``sha256`` and ``metadata`` are the truth unless given; a same name is replaced."""
        told = metadata if metadata is not None else _metadata_of(content) if filename.endswith(".whl") else None
        owner = project or re.split(r"-(?=\d)", filename, maxsplit=1)[0]
        self._files[filename] = pages.Hosted(
            project=canonicalize_name(owner),
            filename=filename,
            content=content,
            sha256=sha256 or hashlib.sha256(content).hexdigest(),
            size=len(content) if size is None else size,
            metadata=told,
            metadata_sha256=None if told is None else hashlib.sha256(told).hexdigest(),
            requires_python=requires_python,
            yanked=yanked,
            upload_time=upload_time,
        )

    def add_wheel(self, name: str, version: str, **build: Any) -> tuple[str, bytes]:
        """Build a wheel (arguments of `build_wheel`), host it, and return its filename and content."""
        content = build_wheel(name, version, **build)
        filename = wheel_filename(name, version, tag=build.get("tag", "py3-none-any"))
        self.add(filename, content, project=name, requires_python=build.get("requires_python"))
        return filename, content

    def remove(self, filename: str) -> None:
        """Host a file no longer; a project without files is unknown."""
        del self._files[filename]

    def set_page(self, project: str, body: bytes, content_type: str = pages.HTML) -> None:
        """Serve exactly this as the page of ``project``."""
        self._pages[project] = (body, content_type)

    def expire(self) -> None:
        """Refuse the signatures given so far (403), and give others."""
        self.signature = f"signature-{int(self.signature.rpartition('-')[2]) + 1}"

    # --- counters ----------------------------------------------------------------------------------------------------

    def body_bytes(self, path_suffix: str = "") -> int:
        """Body bytes sent so far for paths that end so (headers not counted)."""
        return sum(request.body_bytes_sent for request in list(self.requests) if request.path.endswith(path_suffix))

    def requests_for(self, path_suffix: str) -> list[Request]:
        """The requests for paths that end so, in order of arrival."""
        return [request for request in list(self.requests) if request.path.endswith(path_suffix)]

    def reset_counters(self) -> None:
        """Forget the requests so far; those still being answered are counted nowhere."""
        self.requests = []

    # --- answers (called by connection threads) ----------------------------------------------------------------------

    def next_fault(self, method: str, path: str) -> faults.Action | None:
        with self._lock:
            for fault in self.faults:
                if fault.concerns(method, path):
                    if fault.times is not None:
                        fault.times -= 1
                    return fault.action
        return None

    def answer(self, request: Request, action: faults.Action | None) -> Answer:
        path, _, query = request.path.partition("?")
        loop = re.fullmatch(r"loop=(\d+)", query)
        if loop or isinstance(action, faults.RedirectLoop):
            turn = int(loop[1]) + 1 if loop else 0
            return Answer(302, headers={"Location": f"{path}?loop={turn}"})
        if isinstance(action, faults.Status):
            return Answer(action.code, b"the fault script says so\n", {"Content-Type": "text/plain", **action.headers})
        if isinstance(action, faults.GarbagePage):
            return Answer(200, action.body, {"Content-Type": action.content_type})
        if self.credentials is not None:
            expected = base64.b64encode(":".join(self.credentials).encode()).decode()
            if request.headers.get("authorization") != f"Basic {expected}":
                return Answer(401, b"who are you?\n", {"WWW-Authenticate": 'Basic realm="fake"'})
        if self.redirects and not path.startswith("/moved/"):
            return Answer(302, headers={"Location": f"/moved{path}"})
        path = path.removeprefix("/moved")
        if path.startswith("/files/") and self.signatures != "no" and f"X-Amz-Signature={self.signature}" not in query:
            if self.signatures == "links" or query:
                return Answer(403, b"the signature has expired\n")
            return Answer(302, headers={"Location": f"{path}?{self._signed}"})
        if path.startswith("/files/"):
            return self._file(request, unquote(path.removeprefix("/files/")), action)
        if path in ("/simple", "/simple/"):
            return self._page(request, None)
        if path.startswith("/simple/"):
            name = path.removeprefix("/simple/").rstrip("/")
            if not path.endswith("/") or (name != canonicalize_name(name) and name not in self._pages):
                return Answer(301, headers={"Location": f"/simple/{canonicalize_name(name)}/"})
            return self._page(request, name)
        return Answer(404, b"no such thing\n")

    def _page(self, request: Request, project: str | None) -> Answer:
        files = [file for file in list(self._files.values()) if file.project == project]
        accept = request.headers.get("accept", "")
        json_wanted = self.page_format == "json" or (self.page_format == "both" and pages.JSON in accept)
        if project is None:
            known = sorted({file.project for file in list(self._files.values())} | set(self._pages))
            body, content_type = (pages.root_json(known), pages.JSON) if json_wanted else (pages.root_html(known), pages.HTML)
        elif project in self._pages:
            body, content_type = self._pages[project]
        elif not files:
            return Answer(404, b"no such project\n")
        else:
            says = self._says(project)
            body = pages.project_json(project, files, says) if json_wanted else pages.project_html(project, files, says)
            content_type = pages.JSON if json_wanted else f"{pages.HTML}; charset=utf-8"
        return self._validated(request, Answer(200, body, {"Content-Type": content_type, "Vary": "Accept"}))

    @property
    def _signed(self) -> str:
        return f"X-Amz-Signature={self.signature}&sig={self.signature}"

    def _says(self, project: str) -> pages.Says:
        base = f"{self.origin}/files/" if self.urls == "absolute" else "../../files/"
        query = f"?{self._signed}" if self.signatures == "links" else ""
        prefix, base_href = ("", base) if self.base_href else (base, None)
        return pages.Says(prefix, base_href, self.hashes, self.sizes, self.upload_times, self.core_metadata, query)

    def _file(self, request: Request, name: str, action: faults.Action | None) -> Answer:
        file = self._files.get(name)
        if file is not None:
            content = file.content
        elif name.endswith(".metadata") and self.core_metadata and (owner := self._files.get(name.removesuffix(".metadata"))):
            content = owner.metadata or b""
        else:
            return Answer(404, b"no such file\n")
        if isinstance(action, faults.WrongLength):
            content = content + bytes(action.delta) if action.delta > 0 else content[: action.delta]
        if isinstance(action, faults.WrongBytes):
            flipped = bytes(byte ^ 0xFF for byte in content[action.at : action.at + action.length])
            content = content[: action.at] + flipped + content[action.at + len(flipped) :]
        headers = {"Content-Type": "application/octet-stream"}
        return self._validated(request, self._ranged(request, content, headers))

    def _ranged(self, request: Request, content: bytes, headers: dict[str, str]) -> Answer:
        if self.ranges == "yes" or self.ranges == "suffix-unsupported":
            headers["Accept-Ranges"] = "bytes"
        wanted = request.range
        compressing = self.gzip == "always" or (self.gzip == "accepted" and "gzip" in request.headers.get("accept-encoding", ""))
        condition = request.headers.get("if-range")
        if condition is not None and condition not in (self._tag(content) if self.etags else None, _LAST_MODIFIED):
            wanted = None
        if wanted is None or self.ranges == "ignore" or compressing or not (asked := re.fullmatch(r"bytes=(\d*)-(\d*)", wanted)):
            return Answer(200, content, headers)
        if self.ranges == "not-implemented" or (self.ranges == "suffix-unsupported" and not asked[1]):
            return Answer(501, b"unsupported client range\n")
        size = len(content)
        if asked[1]:
            first, last = int(asked[1]), min(int(asked[2] or size), size - 1)
        else:
            first, last = max(0, size - int(asked[2] or 0)), size - 1
        if self.ranges == "nonsense" or (self.ranges == "beginning" and not asked[1]):
            first, last = 0, min(size, 1_000) - 1
        if self.ranges == "refuse" or first > last:
            return Answer(416, b"", {"Content-Range": f"bytes */{size}"})
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        # The validator is of the whole file, also for a part of it (RFC 9110, 15.3.7).
        headers.update({"ETag": self._tag(content)} if self.etags else {})
        return Answer(206, content[first : last + 1], headers)

    def _tag(self, content: bytes) -> str:
        """Return an entity tag: of one of ``backends`` at this address, each of which has tags of its own."""
        self._asked += 1
        backend = self._asked % self.backends
        return f'{_etag(content)[:-1]}-{backend}"' if backend else _etag(content)

    def _validated(self, request: Request, answer: Answer) -> Answer:
        if answer.status not in (200, 206):
            return answer
        answer.headers["Cache-Control"] = "no-store" if self.no_store else f"max-age={self.max_age_s}"
        if self.etags:
            answer.headers.setdefault("ETag", self._tag(answer.body))
            answer.headers["Last-Modified"] = _LAST_MODIFIED
            if request.headers.get("if-none-match") == answer.headers["ETag"]:
                return Answer(304, b"", {key: answer.headers[key] for key in ("ETag", "Cache-Control")})
        if answer.status == 200 and (
            self.gzip == "always" or (self.gzip == "accepted" and "gzip" in request.headers.get("accept-encoding", ""))
        ):
            # Of Brotli only the name: nothing here could undo it.
            answer.body = zlib.compress(answer.body) if self.coding == "deflate" else gzip.compress(answer.body, mtime=0)
            answer.headers["Content-Encoding"] = self.coding
        answer.chunked = not self.content_length
        return answer


@functools.lru_cache(maxsize=64)
def _etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:16]}"'


def _metadata_of(wheel: bytes) -> bytes | None:
    try:
        with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
            return next((archive.read(name) for name in archive.namelist() if name.endswith(".dist-info/METADATA")), None)
    except zipfile.BadZipFile:
        return None
