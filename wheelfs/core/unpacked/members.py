"""Which file of an environment is which member of its wheel: the inverse of `wheelfs.core.environments.installation`.

What installers write themselves (INSTALLER, direct_url.json, scripts of entry points, bytecode) was no member.  A script whose
first line they have replaced gets back the one that the specification has them replace.  What lies where no wheel can put a file,
and what RECORD does not vouch for, cannot be undone and is refused by name.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.core.environments.installation import check_path, place, schemes
from wheelfs.core.environments.scripts import entry_point_scripts
from wheelfs.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wheelfs.core.unpacked.distribution import Distribution
    from wheelfs.core.wheel.record import Recorded

_INSTALLERS: Final = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")
"""What installers put into a ``.dist-info``; the last two are uv's own."""
_SIGNATURES: Final = ("RECORD.jws", "RECORD.p7s")
"""They sign RECORD, and are not recorded themselves; withdrawn (binary distribution format, "Signed wheel files")."""
_REPLACED: Final = re.compile(
    rb"#!/(?!usr/bin/|usr/local/bin/|bin/)[^\n]*/python[0-9.]*(w?)[^\n]*\n"
    rb"|#!/bin/sh\n'''exec' [^\n]*/python[0-9.]*(w?)['\"]? \"\$0\" \"\$@\"\n' '''\n"
    rb"|#!/bin/sh\n\f# [^\n]*/python\" \"\$0\" \"\$@\"[ \n]"
)
"""How scripts begin that pip and uv have made run in an environment: the second form is for paths that are too long or have
spaces, the third one is ours.  Interpreters of the system are what a wheel has brought along, and stay."""


class Layout(msgspec.Struct, frozen=True):
    """Where things lie below an environment: ``site`` is its site-packages, ``minor`` its Python's version (``3.11``)."""

    site: str
    minor: str


class Placed(msgspec.Struct, frozen=True):
    """A file that was the member ``name``: ``path`` is where it lies, ``recorded`` what vouches for it as it is there."""

    name: str
    path: str
    recorded: Recorded
    is_script: bool = False


def lies_at(name: str, distribution: Distribution, layout: Layout | None) -> str | None:
    """Return where the member ``name`` of a wheel lies, below the environment; None where no installer would put it.

    Without a ``layout`` the wheel is unpacked as it is (uv's cache), and the path is below that.
    """
    attempted = f"look for {name}"
    try:
        if layout is None:
            check_path(attempted, name)
            return name
        return place(attempted, name, distribution.data, schemes(layout.site, layout.minor, distribution.wheel.project))[0]
    except InvalidInput:
        return None


def members(attempted: str, distribution: Distribution, entry_points: bytes, layout: Layout | None) -> Iterator[Placed]:
    """Yield the files that were members of the wheel, but its RECORD; raises `InvalidInput` for what cannot be undone.

    ``entry_points`` is the content of its ``entry_points.txt``, empty where there is none.
    """
    own = {f"{distribution.dist_info}/{name}" for name in (*_INSTALLERS, *_SIGNATURES)}
    text = entry_points.decode("utf-8", "replace")
    scripts = () if layout is None else entry_point_scripts(attempted, text, layout.minor)
    made = {f"bin/{name}" for name, _ in scripts}
    for one in distribution.recorded:
        path = one.path if layout is None else posixpath.normpath(posixpath.join(layout.site, one.path))
        if path in made or (layout is not None and not one.algorithm and _is_bytecode(path)):
            continue
        name, is_script = _as_installed(path, distribution) if layout is None else _name(attempted, path, distribution, layout)
        if name in own:
            continue
        check_path(attempted, name)
        if not one.algorithm:
            raise InvalidInput(attempted, f"its RECORD does not vouch for {one.path[:200]!r}", "install it again")
        yield Placed(name, path, one, is_script)


def _as_installed(path: str, distribution: Distribution) -> tuple[str, bool]:
    """Return the name of a member as an environment would tell it, so that both give the same wheel."""
    for beside in ("purelib", "platlib"):
        path = path.removeprefix(f"{distribution.data}/{beside}/")
    return path, False


def _name(attempted: str, path: str, distribution: Distribution, layout: Layout) -> tuple[str, bool]:
    if path.startswith(("../", "/")) or path == "..":
        raise InvalidInput(attempted, f"its RECORD has {path[:200]!r}, which lies outside of the environment")
    site, data = f"{layout.site}/", distribution.data
    headers = f"include/site/python{layout.minor}/"
    if path.startswith(site):
        return path.removeprefix(site), False
    if path.startswith("bin/"):
        return f"{data}/scripts/{path.removeprefix('bin/')}", True
    if path.startswith(headers) and path.count("/") > headers.count("/"):
        return f"{data}/headers/{path.removeprefix(headers).partition('/')[2]}", False
    return f"{data}/data/{path}", False


def _is_bytecode(path: str) -> bool:
    return path.endswith(".pyc")


def with_original_first_line(content: bytes) -> bytes:
    """Return a script as its wheel had it: the line that finds the environment's interpreter is ``#!python`` again."""
    found = _REPLACED.match(content)
    if found is None:
        return content
    return b"#!python" + (found[1] or found[2] or b"") + b"\n" + content[found.end() :]
