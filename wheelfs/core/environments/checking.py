"""Whether an environment that came from elsewhere can be shown: its paths become names of a mount, and its links lead out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from wheelfs.core.environments.assembling import check_directories, links_of, own_files
from wheelfs.core.environments.installation import check_path
from wheelfs.errors import InvalidInput
from wheelfs.model.environment import LAYOUT
from wheelfs.model.links import MAX_SIZE_BYTES
from wheelfs.model.names import check_filename, kind_of, parse_project_name

if TYPE_CHECKING:
    from wheelfs.model.environment import Environment, EnvironmentWheel, Interpreter, WheelMember

_VERSION: Final = re.compile(r"\d{1,3}\.\d{1,3}\.\d{1,3}[0-9a-z+.]{0,20}")
_TAG: Final = re.compile(r"cpython-\d{2,4}")
_PROGRAM: Final = re.compile(r"/[^\0-\x1f\x7f]{1,1000}")
_MAX_ORIGIN: Final = 200


def check_environment(attempted: str, tree: Environment, importer: bytes) -> None:
    """Raise `InvalidInput` for a tree that no build of this layout would make; for ``importer`` see `assemble`."""
    if tree.layout != LAYOUT:
        raise InvalidInput(attempted, f"its layout is {tree.layout}, and this wheelfs knows {LAYOUT}", "update wheelfs")
    if not _is_possible_interpreter(tree.interpreter):
        raise InvalidInput(attempted, f"its interpreter cannot be one: {str(tree.interpreter)[:200]}")
    for wheel in tree.wheels:
        if not _is_possible_wheel(wheel):
            raise InvalidInput(attempted, f"it has a wheel that cannot be one: {wheel.filename[:200]!r}")
    if tree.links != links_of(tree.interpreter):
        raise InvalidInput(attempted, "it has links that lead elsewhere than those of environments do")
    owners: dict[str, str] = {}
    own = {file.path: file for file in own_files(tree.interpreter, tree.wheels, importer)}
    if own != {file.path: file for file in tree.written if file.path in own}:
        raise InvalidInput(attempted, "it does not describe itself as it is, or brings an importer of its own")
    paths = [path for path, _ in tree.links] + [member.path for member in tree.members] + [file.path for file in tree.written]
    for path in paths:
        check_path(attempted, path)
        if path in owners:
            raise InvalidInput(attempted, f"it has {path[:200]!r} twice")
        owners[path] = "it"
    check_directories(owners)
    for member in tree.members:
        if not _is_possible_member(member, len(tree.wheels)):
            raise InvalidInput(attempted, f"{member.path[:200]!r} cannot be a member of one of its wheels")


def _is_possible_interpreter(one: Interpreter) -> bool:
    texts = ((_PROGRAM, one.executable), (_VERSION, one.version), (_TAG, one.cache_tag))
    return all(pattern.fullmatch(text) for pattern, text in texts) and len(one.magic) == 4


def _is_possible_wheel(wheel: EnvironmentWheel) -> bool:
    try:
        named = parse_project_name(wheel.project) == wheel.project and kind_of(check_filename(wheel.filename)) == "wheel"
    except InvalidInput:
        return False
    is_origin = 0 < len(wheel.origin) <= _MAX_ORIGIN and wheel.origin.isprintable()
    return named and is_origin and len(wheel.sha256) == 32 and 0 < wheel.size_bytes <= MAX_SIZE_BYTES


def _is_possible_member(member: WheelMember, wheels: int) -> bool:
    numbers = (member.header_offset, member.compressed_size, member.size)
    is_in_wheel = 0 <= member.wheel < wheels and all(0 <= number <= MAX_SIZE_BYTES for number in numbers)
    return is_in_wheel and len(member.sha256) in (0, 32) and 0 <= member.crc < 1 << 32 and 0 <= member.method < 1 << 16
