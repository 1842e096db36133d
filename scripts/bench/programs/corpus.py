"""A corpus of real wheels in three groups, downloaded once from the index that pip is configured with: histories and platforms.

*pure*: the last versions of projects without compiled code; *compiled*: the last ones of compiled projects, for CPython 3.11 on
manylinux x86_64; *cross*: one version of a compiled project for every CPython and platform.  Kept outside the checkout, with
a list of what was chosen: later runs use the same wheels.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import ssl
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from tests.fakes.real_index import configured_index, machine_settings
from wheelfs.core.simple.api import ACCEPT, parse_page
from wheelfs.model.names import parse_project_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from http.client import HTTPResponse

    from packaging.tags import Tag
    from packaging.version import Version

    from wheelfs.model.links import FileLink

PURE = {"botocore": 15, "django": 8, "transformers": 8, "hypothesis": 8, "setuptools": 8, "faker": 8}
COMPILED = {"numpy": 6, "scipy": 6, "matplotlib": 6, "pyarrow": 6}
"""Projects, and how many of their last versions are taken."""
CROSS = ("numpy", "pydantic-core")
CROSS_PYTHONS = frozenset({"cp310", "cp311", "cp312", "cp313", "cp314"})
GROUPS = ("pure", "compiled", "cross")

_PATIENCE_S = 60.0
_ATTEMPTS = 8
_AT_ONCE = 4
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Chosen:
    """A wheel of the corpus; ``url`` is where it was found."""

    group: str
    project: str
    version: str
    filename: str
    sha256: str
    url: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """The wheels in ``directory/GROUP/``, in each group by project and oldest version first."""

    directory: Path
    chosen: Sequence[Chosen]

    def paths(self, group: str) -> list[Path]:
        """Return a group's wheels."""
        return [self.path(one) for one in self.chosen if one.group == group]

    def path(self, one: Chosen) -> Path:
        """Return where a wheel is."""
        return self.directory / one.group / one.filename

    def __str__(self) -> str:
        return ", ".join(f"{group}: {_summary(self.paths(group))}" for group in GROUPS)


def default_directory() -> Path:
    """Return where the corpus is kept when no option says otherwise."""
    own = os.environ.get("WHEELFS_BENCH_CORPUS")
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wheelfs" / "corpus"


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where the corpus is."""
    parser.add_argument(
        "--corpus", type=Path, default=default_directory(), metavar="DIR", help="where the wheels are kept (default %(default)s)"
    )


def corpus(directory: Path) -> Corpus:
    """Return the corpus in ``directory``, downloading what is missing of it; an interrupted download is taken up where it ended.

    Raises OSError when the index does not answer, SystemExit when it gives other bytes than it promised.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two that append to one part would make of it what is no wheel
        return _completed(directory)


def _completed(directory: Path) -> Corpus:
    listed = directory / "chosen.json"
    if listed.exists():
        chosen = [Chosen(**one) for one in json.loads(listed.read_text())]
    else:
        chosen = choose()
        fresh = directory / "chosen.json.new"
        fresh.write_text(json.dumps([asdict(one) for one in chosen], indent=1))
        fresh.rename(listed)
    held = Corpus(directory, chosen)
    missing = [one for one in chosen if not held.path(one).exists()]
    if missing:
        print(f"downloading {len(missing)} wheels to {directory}, once", file=sys.stderr)
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            list(threads.map(lambda one: _download(one, held.path(one)), missing))
    return held


# --- choosing ----------------------------------------------------------------------------------------------------------


def choose() -> list[Chosen]:
    """Return what the index has today of each group."""
    chosen: list[Chosen] = []
    for project, count in PURE.items():
        chosen += _last(project, count, "pure", _is_pure)
    for project, count in COMPILED.items():
        chosen += _last(project, count, "compiled", _is_for_cp311_manylinux)
    for project in CROSS:
        chosen += _widest(project)
    return chosen


def _is_pure(tags: Iterable[Tag]) -> bool:
    return any(tag.abi == "none" and tag.platform == "any" for tag in tags)


def _is_for_cp311_manylinux(tags: Iterable[Tag]) -> bool:
    return any(
        tag.interpreter == tag.abi == "cp311" and tag.platform.startswith("manylinux") and tag.platform.endswith("_x86_64")
        for tag in tags
    )


def _last(project: str, count: int, group: str, fits: Callable[[Iterable[Tag]], bool]) -> list[Chosen]:
    """Return one wheel of each of the last ``count`` versions that have one that fits, oldest first."""
    by_version: dict[Version, FileLink] = {}
    for version, tags, link in _wheels(project):
        # Several of one version differ in the libc they ask for; which one is taken only has to be the same every time.
        if fits(tags) and (version not in by_version or link.filename < by_version[version].filename):
            by_version[version] = link
    return [_chosen(group, project, version, by_version[version]) for version in sorted(by_version)[-count:]]


def _widest(project: str) -> list[Chosen]:
    """Return all wheels for `CROSS_PYTHONS` of one version: the newest of those for the most of them."""
    by_version: dict[Version, list[tuple[str, FileLink]]] = {}
    for version, tags, link in _wheels(project):
        pythons = {tag.interpreter for tag in tags} & CROSS_PYTHONS
        if pythons:
            by_version.setdefault(version, []).append((min(pythons), link))
    version = max(by_version, key=lambda one: (len({python for python, _ in by_version[one]}), one))
    links = sorted((link for _, link in by_version[version]), key=lambda link: link.filename)
    return [_chosen("cross", project, version, link) for link in links]


def _chosen(group: str, project: str, version: Version, link: FileLink) -> Chosen:
    if link.sha256 is None:
        raise SystemExit(f"the index gives no sha256 for {link.filename}")
    return Chosen(group, project, str(version), link.filename, link.sha256.hex(), link.url)


def _wheels(project: str) -> Iterable[tuple[Version, Iterable[Tag], FileLink]]:
    """Yield the final versions' wheels that are not yanked."""
    url = f"{configured_index().rstrip('/')}/{project}/"
    with _opened(urllib.request.Request(url, headers={"Accept": ACCEPT})) as answer:
        page = parse_page(answer.read(), answer.headers.get("Content-Type"), answer.url, parse_project_name(project))
    for link in page.files:
        try:
            _, version, _, tags = parse_wheel_filename(link.filename)
        except InvalidWheelFilename:
            continue
        if link.yanked is None and not version.is_prerelease:
            yield version, tags, link


# --- downloading -------------------------------------------------------------------------------------------------------


def _download(one: Chosen, path: Path) -> None:
    """Bring one wheel, going on where an earlier attempt stopped; it has its name only once its sha256 was right."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(path.name + ".part")
    for attempt in range(_ATTEMPTS):
        try:
            _go_on(one.url, part)
            break
        except (OSError, HTTPException) as error:
            if attempt == _ATTEMPTS - 1:
                raise
            print(f"  {one.filename}: {error}; once more", file=sys.stderr)
    with part.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != one.sha256:
            part.unlink()
            raise SystemExit(f"{one.filename}: what came has another sha256 than the index gave; run this again")
    part.rename(path)


def _go_on(url: str, part: Path) -> None:
    """Append what is missing of a file; raises OSError when the connection ends early."""
    held = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={held}-"} if held else {})
    try:
        answer = _opened(request)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is missing: it ended before it was renamed
            return
        raise
    with answer, part.open("ab") as file:
        if held and answer.status != 206:
            file.truncate(0)
        left = int(answer.headers.get("Content-Length") or -1)
        while piece := answer.read(_PIECE_BYTES):
            file.write(piece)
            left -= len(piece)
        if left > 0:
            raise ConnectionError(f"{left} bytes are missing")


def _opened(request: urllib.request.Request) -> HTTPResponse:
    authorities = os.environ.get("PIP_CERT") or machine_settings().get("SSL_CERT_FILE")
    answer: HTTPResponse = urllib.request.urlopen(
        request, timeout=_PATIENCE_S, context=ssl.create_default_context(cafile=authorities)
    )
    return answer


def _summary(paths: Sequence[Path]) -> str:
    return f"{len(paths)} wheels, {sum(path.stat().st_size for path in paths) / 1e6:.0f} MB"


def main() -> None:
    """Bring the corpus and say what it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_option(parser)
    options = parser.parse_args()
    held = corpus(options.corpus)
    print(f"{held.directory}: {held}")
    for group in GROUPS:
        for project in sorted({one.project for one in held.chosen if one.group == group}):
            versions = [one.version for one in held.chosen if (one.group, one.project) == (group, project)]
            print(f"  {group:<9} {project:<14} {len(versions):3} wheels, {versions[0]} to {versions[-1]}")


if __name__ == "__main__":
    main()
