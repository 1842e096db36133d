"""What the index of the table has: small projects, each for one question that a requirements file may raise."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from tests.fakes.wheels import build_sdist, build_wheel, sdist_filename, wheel_filename

if TYPE_CHECKING:
    from tests.fakes.index import FakeIndex

_PLAIN: Final = {
    "liba": ("1.0", "1.5", "2.0", "3.0"),
    "libd": ("1.0", "2.0"),
    "pre": ("1.0", "2.0b1"),
    "alpha": ("1.0a1",),
    "zope.interface": ("7.0",),
    "local": ("1.0", "1.0+cpu"),
    "epoch": ("9.0", "1!1.0"),
    "post": ("1.0", "1.0.post1"),
    "color": ("1.0",),
    "fancy": ("1.0",),
    "tool": ("1.0",),
    "docs-tool": ("1.0",),
}


def stock(index: FakeIndex) -> None:
    """Fill ``index``."""
    for name, versions in _PLAIN.items():
        for version in versions:
            index.add_wheel(name, version)
    for version in ("1.0", "2.0"):
        _sdist(index, "both", version)
    index.add_wheel("both", "1.0")
    index.add_wheel("both", "2.0")
    # The newest version has a sdist alone.
    index.add_wheel("srclast", "1.0")
    _sdist(index, "srclast", "2.0")
    _sdist(index, "source", "1.0")
    # The newest version has wheels for others alone; of "mixed" a sdist beside them.
    index.add_wheel("plat", "1.0")
    index.add_wheel("plat", "2.0", tag="cp311-cp311-win_amd64")
    index.add_wheel("mixed", "1.0")
    index.add_wheel("mixed", "2.0", tag="cp311-cp311-win_amd64")
    _sdist(index, "mixed", "2.0")
    index.add_wheel("py", "1.0")
    index.add_wheel("py", "2.0", requires_python=">=3.99")
    index.add_wheel("yank", "1.0")
    index.add(wheel_filename("yank", "2.0"), build_wheel("yank", "2.0"), yanked="broken")
    index.add(wheel_filename("allyank", "1.0"), build_wheel("allyank", "1.0"), yanked="broken")
    index.add_wheel("built", "1.0")
    index.add("built-1.0-2-py3-none-any.whl", build_wheel("built", "1.0", files={"built.py": b"BUILD = 2\n"}))
    fancy = "Provides-Extra: fancy\nRequires-Dist: fancy; extra == 'fancy'\n"
    index.add_wheel("app", "1.0", requires=["liba", "color; sys_platform == 'win32'"], metadata_extra=fancy)
    index.add_wheel("narrow", "1.0", requires=["liba<2"])


def _sdist(index: FakeIndex, name: str, version: str) -> None:
    index.add(sdist_filename(name, version), build_sdist(name, version))


def file_of(pin: str) -> str:
    """Return the file of a version that installers take of this index, without what most wheels' names end with."""
    name, _, version = pin.replace("-", "_").partition("==")
    return f"{name}-{version}.tar.gz" if name in ("source", "srclast") else f"{name}-{version}"


def digest(filename: str, content: bytes, algorithm: str = "sha256") -> str:
    """Return what a ``--hash`` of that file says."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
