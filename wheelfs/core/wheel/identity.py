"""Which wheel a file is, told by its content alone: the filename that its own ``.dist-info`` stands for, or its METADATA.

Source: "Binary distribution format" (PEP 427, 425): the directory is called NAME-VERSION.dist-info as the file is, and WHEEL has
the tags, expanded, and the build tag.
"""

from __future__ import annotations

import re
from email.parser import HeaderParser
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion

from wheelfs.core.wheel import zip_layout
from wheelfs.core.wheel.metadata import converse, search_directory
from wheelfs.errors import InvalidInput
from wheelfs.model.names import WheelName
from wheelfs.model.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


_TAIL_BYTES: Final = 1 << 20
"""Looked at first: all but the largest directories are within."""
_MAX_TAGS: Final = 1_000
_BLANK_LINE: Final = re.compile(rb"^\r?\n", re.MULTILINE)
_STATED: Final = re.compile(rb"^(name|version)[ \t]*:([^\r\n]*)", re.MULTILINE | re.IGNORECASE)
"""Two fields of METADATA: its whole header takes a hundred times as long to read, and pages have thousands."""


def filename_of(read: Callable[[int, int], bytes], size_bytes: int) -> str:
    """Return the filename of the wheel that ``read(offset, size)`` reads; raises `zip_layout.NotAZip` when it is not a wheel.

    The name is not checked any further.
    """
    location, directory_bytes = converse(search_directory(size_bytes, _TAIL_BYTES), read)
    members = list(zip_layout.parse_directory(directory_bytes, location))
    metadata = zip_layout.metadata_member(members)
    if metadata is None:
        raise zip_layout.NotAZip("it has no .dist-info/METADATA")
    directory = metadata.name.removesuffix("/METADATA")
    found = [member for member in members if member.name == f"{directory}/WHEEL"]
    if len(found) != 1:
        raise zip_layout.NotAZip("it has no .dist-info/WHEEL")
    start, end = zip_layout.member_window(found[0], members, location.offset)
    if not 0 <= end - start <= zip_layout.MAX_METADATA_BYTES:
        raise zip_layout.NotAZip("its WHEEL is too large")
    return filename_by(directory.removesuffix(".dist-info"), zip_layout.extract_member(found[0], read(start, end - start), start))


def filename_by(name_and_version: str, wheel: bytes) -> str:
    """Return the filename that the directory ``NAME-VERSION.dist-info`` with this WHEEL stands for; raises `NotAZip`."""
    said = HeaderParser().parsestr(wheel.decode("utf-8", "replace"))
    build = (said.get("Build") or "").strip()
    tags = compressed([str(tag).strip() for tag in said.get_all("Tag", [])])
    return "-".join([name_and_version, *([build] if build else []), tags]) + ".whl"


def is_metadata_of(metadata: bytes, filename: str) -> bool:
    """Return whether ``metadata`` is that of the wheel called ``filename``: it states this project and this version.

    An empty file, a login page and the METADATA of another version are not; a filename that is no wheel's says nothing.
    """
    try:
        wheel = WheelName(filename)
    except InvalidInput:
        return True
    said: dict[bytes, str] = {}
    for field, value in _STATED.findall(_BLANK_LINE.split(metadata, maxsplit=1)[0]):
        said.setdefault(field.lower(), value.decode("utf-8", "replace").strip())  # of one that is there twice the first counts
    try:
        version = parse_version(said.get(b"version", ""))
    except InvalidVersion:
        return False
    return str(canonicalize_name(said.get(b"name", ""))) == wheel.project and version == wheel.version


def compressed(tags: Sequence[str]) -> str:
    """Return the compressed tag set that expands to exactly ``tags``; raises `zip_layout.NotAZip` when none does."""
    split = [tag.split("-") for tag in tags]
    if not tags or len(tags) > _MAX_TAGS or any(len(parts) != 3 or not all(parts) for parts in split):
        raise zip_layout.NotAZip("its WHEEL has no tags")
    columns = [list(dict.fromkeys(parts[column] for parts in split)) for column in range(3)]
    expanded = {f"{python}-{abi}-{platform}" for python in columns[0] for abi in columns[1] for platform in columns[2]}
    if expanded != set(tags):
        raise zip_layout.NotAZip("no filename has exactly the tags that its WHEEL has")
    return "-".join(".".join(column) for column in columns)
