"""Where an installer puts the members of a wheel.

Source: the binary distribution format ("Installing a wheel"), recording installed projects (RECORD, INSTALLER), and the scheme of
``venv`` on POSIX.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING, Final, NamedTuple

from wheelfs.core.environments.scripts import entry_point_scripts, is_wrapper, with_first_lines
from wheelfs.core.wheel import zip_layout
from wheelfs.core.wheel.record import record_text, recorded
from wheelfs.errors import InvalidInput
from wheelfs.model.environment import WheelMember, WrittenFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from wheelfs.model.environment import Interpreter

INSTALLER: Final = b"wheelfs\n"
_MAX_NAME_BYTES: Final = 255
_MAX_DIRECTORIES: Final = 100
"""No builder nests a tenth of that, and each is a call of those that walk down a tree, here and in programs."""
SCRIPT_BYTES: Final = 8 << 20
"""A script that begins with ``#!python`` is rewritten, so it is text; what is larger is a program and stays as it is."""
_EXECUTABLE: Final = 0o111
_UNSEEN: Final = ("Cc", "Cf", "Cs")
"""Categories of characters that uv refuses in names, too: control and format characters, and what is no UTF-8."""
_NO_PATH: Final = frozenset(("", ".", ".."))
_LINKED: Final = "lib64/"
"""A link to ``lib`` in virtual environments: what a wheel has below it lies there."""


class WheelInstallation(NamedTuple):
    """What one wheel gives to an environment."""

    members: list[WheelMember]
    written: list[WrittenFile]


class _Placed(NamedTuple):
    path: str
    member: zip_layout.Member
    is_script: bool


def install(
    number: int,
    filename: str,
    project: str,
    members: Sequence[zip_layout.Member],
    interpreter: Interpreter,
    read: Callable[[zip_layout.Member], bytes],
) -> WheelInstallation:
    """Place the members of the environment's wheel ``number``; ``read`` returns the content of a member.

    Raises `InvalidInput` for a wheel that installers refuse, and what ``read`` raises.
    """
    attempted = f"install {filename}"
    dist_info = _dist_info(attempted, members, project)
    by_name = {member.name: member for member in members}  # of one that is there twice the later one lies there in the end
    for needed in ("WHEEL", "RECORD"):
        if f"{dist_info}/{needed}" not in by_name:
            raise InvalidInput(attempted, f"it has no {dist_info}/{needed}, so it is no wheel")
    _check_wheel(attempted, _text(attempted, "WHEEL", read(by_name[f"{dist_info}/WHEEL"])))
    rows = recorded(attempted, read(by_name[f"{dist_info}/RECORD"]))
    digests = {row.path: row.digest for row in rows if row.algorithm == "sha256"}  # other hashes are as good as none here
    site = interpreter.site_packages
    own = {f"{dist_info}/RECORD", f"{dist_info}/INSTALLER", f"{dist_info}/REQUESTED", f"{dist_info}/direct_url.json"}
    made = WheelInstallation([], [])
    entry_points = by_name.get(f"{dist_info}/entry_points.txt")
    wanted = {}
    if entry_points is not None:
        text = _text(attempted, entry_points.name, read(entry_points))
        wanted = dict(entry_point_scripts(attempted, text, interpreter.minor))
    for path, member, is_script in _placed(attempted, by_name, dist_info, project, interpreter):
        if member.name in own or (is_script and is_wrapper(path.removeprefix("bin/"), wanted)):
            continue
        if is_script and member.size <= SCRIPT_BYTES and (rewritten := with_first_lines(read(member))) is not None:
            made.written.append(WrittenFile(path, rewritten, True))
            continue
        is_executable = is_script or bool(member.mode & _EXECUTABLE)
        where = member.header_offset, member.method, member.compressed_size
        sha256 = digests.get(member.name, b"")
        made.members.append(WheelMember(path, number, *where, member.size, member.crc, is_executable, sha256))
    made.written.extend(WrittenFile(f"bin/{name}", body, True) for name, body in wanted.items())
    made.written.append(WrittenFile(f"{site}/{dist_info}/INSTALLER", INSTALLER))
    made.written.append(WrittenFile(f"{site}/{dist_info}/RECORD", _new_record(made, f"{site}/", f"{dist_info}/RECORD")))
    return made


def zip_member(member: WheelMember) -> zip_layout.Member:
    """Return a member of an environment as its wheel's directory has it, under its path."""
    fields = member.crc, member.method, 0, member.compressed_size, member.size, member.header_offset
    return zip_layout.Member(member.path, *fields)


def zip_range(member: WheelMember) -> tuple[int, int]:
    """Return where in its wheel a member lies, with its local header: that tells its length itself, and is rarely longer."""
    header_bytes = zip_layout.LOCAL_HEADER_BYTES + len(member.path.encode("utf-8", "surrogateescape"))
    return member.header_offset, member.header_offset + header_bytes + member.compressed_size


def check_path(attempted: str, name: str) -> None:
    """Raise `InvalidInput` for a member that would not lie below where it is unpacked, or cannot be a file's name."""
    # A tree has tens of thousands of names, nearly all of which need only the first question of each kind.
    is_plain = name.isascii() and name.isprintable()
    parts = name.split("/")
    if not _NO_PATH.isdisjoint(parts):
        raise InvalidInput(attempted, f"its member {name[:200]!r} has a name that is no path below a directory")
    if not is_plain and any(unicodedata.category(character) in _UNSEEN for character in name):
        raise InvalidInput(attempted, f"its member {name[:200]!r} has characters in its name that cannot be seen")
    if not (is_plain and len(name) <= _MAX_NAME_BYTES) and any(len(part.encode()) > _MAX_NAME_BYTES for part in parts):
        raise InvalidInput(attempted, f"its member {name[:200]!r} has a name of more than {_MAX_NAME_BYTES} bytes")
    if len(parts) - 1 > _MAX_DIRECTORIES:
        raise InvalidInput(attempted, f"its member {name[:200]!r} lies in more than {_MAX_DIRECTORIES} directories")


def _dist_info(attempted: str, members: Sequence[zip_layout.Member], project: str) -> str:
    found = zip_layout.metadata_member(members, project)
    if found is None:
        raise InvalidInput(attempted, f"it has no METADATA of {project}, or more than one")
    dist_info = found.name.partition("/")[0]
    return dist_info


def _check_wheel(attempted: str, text: str) -> None:
    """Raise `InvalidInput` for a wheel of a version that installers must refuse (binary distribution format, "Details")."""
    version = re.search(r"^Wheel-Version:\s*(\d+)(\.\d+)*\s*$", text, re.MULTILINE | re.IGNORECASE)
    if version is None:
        raise InvalidInput(attempted, "its WHEEL does not say which version of the format it has")
    if version[1] != "1":
        raise InvalidInput(attempted, f"it has version {version[0].partition(':')[2].strip()} of the format of wheels, not 1")


def schemes(site: str, minor: str, project: str) -> dict[str, str]:
    """Return where each part of ``NAME-VERSION.data`` lies, below an environment whose site-packages are ``site``."""
    return {
        "purelib": f"{site}/",
        "platlib": f"{site}/",
        "headers": f"include/site/python{minor}/{project}/",
        "scripts": "bin/",
        "data": "",
    }


def place(attempted: str, name: str, data: str, places: Mapping[str, str]) -> tuple[str, bool]:
    """Return where the member ``name`` lies, and whether it is a script; ``data`` is the name of the wheel's ``.data``.

    ``places`` are those of `schemes`.  Raises `InvalidInput` for one that has no place.
    """
    check_path(attempted, name)
    top, _, below = name.partition("/")
    if top != data:
        return places["purelib"] + name, False
    scheme, _, rest = below.partition("/")
    if scheme not in places or not rest:
        raise InvalidInput(attempted, f"its member {name[:200]!r} is for {scheme[:40]!r}, and there is no such place")
    path = places[scheme] + rest
    return f"lib/{path.removeprefix(_LINKED)}" if path.startswith(_LINKED) else path, scheme == "scripts"


def _placed(
    attempted: str, by_name: Mapping[str, zip_layout.Member], dist_info: str, project: str, interpreter: Interpreter
) -> Iterator[_Placed]:
    data = dist_info.removesuffix(".dist-info") + ".data"
    places = schemes(interpreter.site_packages, interpreter.minor, project)
    for name, member in by_name.items():
        if not name.endswith("/"):
            path, is_script = place(attempted, name, data, places)
            yield _Placed(path, member, is_script)


def _text(attempted: str, name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(attempted, f"its {name} is not UTF-8") from None


def _new_record(made: WheelInstallation, site: str, own: str) -> bytes:
    """Return RECORD as an installer leaves it: what lies elsewhere is named by a path from site-packages."""
    up = "../" * (site.count("/"))
    rows = [(member.path, member.sha256, member.size) for member in made.members]
    rows += [(file.path, hashlib.sha256(file.content).digest(), len(file.content)) for file in made.written]
    shown = (
        (path.removeprefix(site) if path.startswith(site) else up + path, digest, size)
        for path, digest, size in sorted(rows, key=lambda row: (*row[:2], str(row[2])))
    )
    return record_text(shown, own)
