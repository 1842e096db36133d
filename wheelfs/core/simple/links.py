"""From what a page says of a file to a `FileLink`, or to a refusal: the one door for names and addresses written by strangers.

Nothing here raises for a bad link: one hostile or broken entry must not take a project's other files away.  What is refused is
counted, with its reason; a field that makes no sense is dropped, and its file stays.  A page with more links than `MAX_FILES`
is refused as a whole.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit

import msgspec
from packaging.utils import canonicalize_name

from wheelfs.core.hashes import digest_bytes
from wheelfs.errors import InvalidInput, OriginFault
from wheelfs.model.links import MAX_SIZE_BYTES, MAX_TIME_US, PASSED_ON, FileLink, LeftOut
from wheelfs.model.names import MAX_NAME_BYTES, ProjectName, check_filename, kind_of

MAX_FILES: Final = 200_000
"""The largest projects have 15,000 files; this many links already take 200 MB of memory."""
MAX_URL: Final = 8_192
"""What servers accept as a request line; signed addresses have 2,000 characters."""
MAX_TEXT: Final = 1_000
"""Reasons and version specifiers are sentences, not books."""

_LEGACY_SUFFIXES: Final = (".egg", ".exe", ".msi", ".rpm", ".deb", ".dmg")
_WHEEL_DASHES: Final = (4, 5, 6)
"""NAME-VERSION-PYTHON-ABI-PLATFORM.whl (PEP 427), with a build number, a variant label (PEP 825, draft), or both."""
_ALGORITHM = re.compile(r"[a-z0-9][a-z0-9_-]{1,31}\Z")
_HASH_VALUE = re.compile(r"[0-9A-Za-z+/=_.-]{1,256}\Z")
_HEX = re.compile(r"[0-9a-fA-F]{8,256}\Z")
_NO_HASHES: Final = frozenset({"egg", "subdirectory"})
"""What else a fragment may say of a file."""
_MAX_HASHES: Final = 16
_LINE_BREAKS: Final = str.maketrans("", "", "\t\r\n")
"""Templates wrap long addresses; browsers, pip and uv pass over these inside of one (WHATWG URL, 4.4)."""
_UNSAFE_URL = re.compile(r"[\x00-\x1f\x7f\\]")
_UNSAFE_TEXT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]+")
_HOST = re.compile(r"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?\Z")
_PLAIN_URL = re.compile(r"(https?://[A-Za-z0-9._~:-]++)/([!$-;=?-\[\]_a-z~]*+)(?:#([!-\[\]-~]*+))?+\Z")
"""An address as almost all are: scheme and host, then nothing that would have to be refused or quoted, and the fragment."""
_PLAIN_RELATIVE = re.compile(
    r"(/|(?:\.\./)*+)((?:[A-Za-z0-9_][A-Za-z0-9_.%+!~-]*+/)*+[A-Za-z0-9_][A-Za-z0-9_.%+!~-]*+(?:#[A-Za-z0-9_=&-]++)?+)\Z"
)
"""One that leads up, or to the root, and then only down."""
_PLAIN_WHEEL = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.]*+)(?:-[A-Za-z0-9_.+!]++){4}+\Z")
_MAX_KEPT: Final = 1_000
_MAX_ALTERNATIVES: Final = 4
_SEPARATORS = re.compile(r"[-_.]+")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def plain_text(text: str) -> str:
    """Return ``text`` as one line of at most `MAX_TEXT` characters, with what cannot be written in a page replaced by spaces."""
    return _UNSAFE_TEXT.sub(" ", text).strip()[:MAX_TEXT].rstrip()


def time_us(text: object) -> int | None:
    """Return an RFC 3339 time (PEP 700) in microseconds since the epoch; None for anything else, also before it."""
    if not isinstance(text, str) or len(text) > 64:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        since = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
    except OverflowError:
        return None
    return since if 0 <= since <= MAX_TIME_US else None


def size_bytes(value: object) -> int | None:
    """Return a size that can be believed, from JSON (a number) or HTML (digits); None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 16:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_SIZE_BYTES:  # no file is empty
        return value
    return None


class Told(msgspec.Struct, frozen=True, gc=False):
    """What a page says of one file beside its address and name, not looked at yet; None where it says nothing.

    ``hashes`` by name, in hexadecimal; ``yanked`` is the reason; ``passed_on`` has the fields of `PASSED_ON`.
    """

    hashes: dict[str, str]
    size_bytes: int | None = None
    requires_python: str | None = None
    yanked: str | None = None
    has_metadata: bool = False
    metadata_sha256: str | None = None
    upload_time_us: int | None = None
    passed_on: dict[str, str] | None = None


class Links:
    """Collects the files of one page.  ``base_url`` is where relative addresses start."""

    def __init__(self, base_url: str, project: ProjectName) -> None:
        self.base_url = base_url
        self.files: list[FileLink] = []
        self._left_out: Counter[LeftOut] = Counter()
        self._project = project
        self._schemes = ("file",) if base_url.startswith("file:") else ("http", "https")
        self._places: dict[str, int] = {}
        self._prefixes: dict[str, bool] = {}
        self._hosts: dict[str, str | None] = {}
        self._directories: dict[str, str] = {}
        self._starts: dict[str, str | None] = {}
        self._pythons: dict[str, str] = {}
        self._seen = 0

    @property
    def refused(self) -> int:
        """How many links were left out."""
        return self._left_out.total()

    @property
    def left_out(self) -> dict[str, int]:
        """How many links were left out, by reason."""
        return {reason.value: self._left_out[reason] for reason in LeftOut if reason in self._left_out}

    def refuse(self, reason: LeftOut) -> None:
        """Count a link that is left out."""
        self._left_out[reason] += 1

    def add(self, href: str, name: str, told: Told) -> None:
        """Take one file in, or count it as refused.  Raises `OriginFault` when there are too many.

        The last segment of the address is the file's name where it is one of this project's, as pip and uv have it; ``name``
        (the text, or what JSON calls it) only else.
        """
        self._seen += 1
        if self._seen > MAX_FILES:
            raise OriginFault(f"read the page of {self._project}", f"it has more than {MAX_FILES:,} links")
        address = self._address(href)
        if address is None:
            self.refuse(LeftOut.ADDRESS)
            return
        url, fragment = address
        filename = self._filename(name, url)
        if isinstance(filename, LeftOut):
            self.refuse(filename)
            return
        sha256, other_hashes = _hashes(told.hashes, fragment)
        has_metadata, metadata_digest = _metadata_promise(told, sha256)
        python = None if told.requires_python is None else self._python(told.requires_python)
        link = FileLink(
            filename,
            url,
            sha256,
            told.size_bytes,
            python if python and len(python) < MAX_TEXT else None,
            None if told.yanked is None else plain_text(told.yanked),
            has_metadata,
            metadata_digest,
            told.upload_time_us,
            other_hashes,
        )
        if told.passed_on:
            link = msgspec.structs.replace(link, **self._passed_on(told.passed_on))
        place = self._places.setdefault(filename, len(self.files))
        if place == len(self.files):
            self.files.append(link)
        else:
            self._add_again(place, link)

    def _add_again(self, place: int, link: FileLink) -> None:
        """Keep the address of a further link of one name, which pip tries when the first is dead."""
        first = self.files[place]
        hashes = [(one.sha256, one.other_hashes) for one in (first, link)]
        if hashes[0] != hashes[1] or link.url == first.url or len(first.alternatives) >= _MAX_ALTERNATIVES:
            self.refuse(LeftOut.TWICE)
        else:
            self.files[place] = msgspec.structs.replace(first, alternatives=(*first.alternatives, link.url))

    def _passed_on(self, told: dict[str, str]) -> dict[str, str]:
        """Return what can be passed on: an address that is safe, a text that says something."""
        found = {}
        for field, _, _, is_address in PASSED_ON:
            if field in told:
                address = self._address(told[field]) if is_address else None
                if value := (address[0] if address else None) if is_address else plain_text(told[field]):
                    found[field] = value
        return found

    def _address(self, href: str) -> tuple[str, str] | None:
        """Return the absolute address, without userinfo and fragment, and the fragment; None when it is unsafe or no file's."""
        whole = href
        if not href.startswith(("https://", "http://")):
            relative = _PLAIN_RELATIVE.match(href)
            whole = "" if relative is None else self._directory(relative[1]) + relative[2]
        plain = _PLAIN_URL.match(whole) if len(whole) <= MAX_URL else None
        if plain is None:
            return self._any_address(href)
        start, path, fragment = plain.groups("")
        if start in self._starts:
            known = self._starts[start]
        else:
            found = self._any_address(f"{start}/")
            known = self._starts[start] = None if found is None else found[0]
        return None if known is None else (known + path, fragment)

    def _any_address(self, href: str) -> tuple[str, str] | None:
        href = href.strip(" \t\r\n\f").translate(_LINE_BREAKS)
        if not href or len(href) > MAX_URL or _UNSAFE_URL.search(href):
            return None
        try:
            if not href.startswith(("https://", "http://")):
                href = self._joined(href)
            url, _, fragment = href.partition("#")
            scheme, colon, rest = url.partition("://")
            if not colon or scheme not in self._schemes:
                return None
            authority, slash, path = rest.partition("/")
            if not slash:
                return None
            if scheme == "file":
                host: str | None = "" if authority in ("", "localhost") else None
            elif authority in self._hosts:
                host = self._hosts[authority]
            else:
                # Userinfo is dropped: credentials come from the configuration and go to the index's own host only.
                host = authority.rpartition("@")[2]
                host = self._hosts[authority] = host.lower() if _HOST.match(host) and _port_is_possible(host) else None
            if host is None:
                return None
            if not path.isascii() or " " in path:
                path = quote(path, safe="!#$%&'()*+,/:;=?@[]~")
        except ValueError:  # urljoin: an invalid IPv6 address; quote: lone surrogates
            return None
        return f"{scheme}://{host}/{path}", fragment

    def _joined(self, href: str) -> str:
        """Return ``urljoin(base_url, href)``."""
        relative = _PLAIN_RELATIVE.match(href)
        return urljoin(self.base_url, href) if relative is None else self._directory(relative[1]) + relative[2]

    def _directory(self, up: str) -> str:
        """Return where ``up`` (slashes, or parent directories) leads, worked out once: of 5,000 files ``urljoin`` took 0.2 s."""
        directory = self._directories.get(up)
        if directory is None:
            directory = urljoin(self.base_url, up or "./")
            if len(self._directories) < _MAX_KEPT:
                self._directories[up] = directory
        return directory

    def _python(self, told: str) -> str:
        """Return `plain_text` of a Requires-Python, of which a page has few."""
        text = self._pythons.get(told)
        if text is None:
            text = plain_text(told)
            if len(self._pythons) < _MAX_KEPT:
                self._pythons[told] = text
        return text

    def _filename(self, name: str, url: str) -> str | LeftOut:
        """Return the file's name when it is safe and belongs to the project."""
        if url.endswith(".whl") and "?" not in url:
            plain_wheel = _PLAIN_WHEEL.match(url, url.rfind("/") + 1)
            if plain_wheel is not None and len(plain_wheel[0]) <= MAX_NAME_BYTES and self._prefixes.get(plain_wheel[1]):
                return plain_wheel[0]
        segment = url.partition("?")[0].rpartition("/")[2]
        refusal = LeftOut.NAME
        for text in (segment, name.strip()):
            # A text may be percent-encoded, too: no version holds a percent sign.
            plain = unquote(text, errors="surrogateescape") if "%" in text else text
            if "/" in plain or (kind_of(plain) == "other" and not plain.endswith(_LEGACY_SUFFIXES)):
                continue
            if plain.endswith(".whl") and plain.count("-") not in _WHEEL_DASHES:  # the rest of it is not parsed, for speed
                continue
            try:
                check_filename(plain)
            except InvalidInput:
                continue
            if self._belongs(plain):
                return plain
            refusal = LeftOut.PROJECT
        return refusal

    def _belongs(self, filename: str) -> bool:
        """Whether the name starts with the project's, compared in normalized form; versions are not parsed, for speed.

        A wheel's project ends at the first dash.  Other names may hold dashes: there the project's name and a digit must come.
        """
        if filename.endswith(".whl"):
            prefix = filename.partition("-")[0]
            known = self._prefixes.get(prefix)
            if known is None:
                known = self._prefixes[prefix] = self._project == str(canonicalize_name(prefix))
            return known
        normal = _SEPARATORS.sub("-", filename).lower()
        start = len(self._project) + 1
        return normal.startswith(self._project + "-") and normal[start : start + 2].removeprefix("v")[:1].isdigit()


def absolute(base_url: str, href: str) -> str | None:
    """Return ``href`` made absolute when it is a safe http(s) address, without userinfo; None otherwise."""
    found = Links(base_url, ProjectName(""))._address(href)
    return found[0] if found else None


def _port_is_possible(host: str) -> bool:
    port = urlsplit(f"//{host}").port  # raises ValueError above 65,535
    return port is None or port > 0


def _digest(text: str | None) -> bytes | None:
    """Return the 32 bytes of a sha256 in hexadecimal; None for anything else."""
    try:
        digest = b"" if text is None else bytes.fromhex(text)
    except ValueError:
        return None
    return digest if len(digest) == 32 else None


def _metadata_promise(told: Told, sha256: bytes | None) -> tuple[bool, bytes | None]:
    """Return whether a metadata file is promised, and its digest; a promise with an impossible digest is no promise.

    Some indexes give the hash of the file itself, which is no METADATA's.
    """
    digest = _digest(told.metadata_sha256)
    has_metadata = told.has_metadata and (digest is not None or told.metadata_sha256 is None)
    return has_metadata, None if digest == sha256 else digest


def _hashes(hashes: dict[str, str], fragment: str) -> tuple[bytes | None, dict[str, str] | None]:
    """Return the sha256, and all other hashes that the index gives: in JSON, or in the address's fragment (PEP 503).

    What is said to be a sha256 and is not one stays among the others: such a file is listed, and cannot be opened.  An empty hash
    says nothing.
    """
    if not hashes and fragment.startswith("sha256=") and "&" not in fragment:  # most links: a page may have 200,000
        digest = _digest(fragment[len("sha256=") :])
        if digest is not None:
            return digest, None
    found: dict[str, str] = {}
    for key, value in islice(hashes.items(), _MAX_HASHES):
        _add_hash(found, key, value)
    for part in fragment.split("&")[:_MAX_HASHES] if fragment else ():
        key, _, value = part.partition("=")
        # Of a fragment it is not known that it is about hashes at all.
        if digest_bytes(key.lower()) is not None or _HEX.match(value):
            _add_hash(found, key, value)
    digest = _digest(found.get("sha256"))
    if digest is not None:
        del found["sha256"]
    return digest, found or None


def _add_hash(found: dict[str, str], key: str, value: str) -> None:
    name, value = key.lower(), value.strip()
    if not value or name in _NO_HASHES or not _ALGORITHM.match(name):
        return
    if not _HASH_VALUE.match(value):
        value = "invalid"
    found.setdefault(name, value.lower() if _HEX.match(value) else value)
