"""The users' own configuration files of pip and uv, with the mount's index in them or taken out again."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.config.settings import home_directory
from wheelfs.core.resolve.installer_edit import CannotEditError, with_index, without_index
from wheelfs.errors import DestinationError, NotKnown, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wheelfs.core.resolve.installer_edit import Installer

_PLACES: Final[dict[Installer, str]] = {"pip": "pip/pip.conf", "uv": "uv/uv.toml"}
_OTHER_FILE: Final[dict[Installer, str]] = {"pip": "PIP_CONFIG_FILE", "uv": "UV_CONFIG_FILE"}
_STRONGER: Final[dict[Installer, tuple[str, ...]]] = {
    "pip": ("PIP_INDEX_URL", "PIP_NO_INDEX"),
    "uv": ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_NO_INDEX", "UV_NO_CONFIG"),
}
"""Variables that go before the files."""


class ChangedFile(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a configuration file: ``added`` and ``removed`` are lines; both are empty where it is as wanted already.

    ``notes`` say what keeps the file from having an effect.
    """

    client: Installer
    path: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def install(installer: Installer, mount: Path, environ: Mapping[str, str]) -> ChangedFile:
    """Write the index of a mount into the user's file, once; raises `UsageError` and `DestinationError`."""
    path = _path(installer, environ)
    attempted = f"write the mount into {path}"
    before = _read(attempted, path)
    try:
        after = with_index(installer, before, (mount / "here/simple").as_uri())
    except CannotEditError as error:
        raise UsageError(attempted, str(error), error.advice) from None
    if after != before:
        _write(attempted, path, after)
    notes = (f"{name} in the environment goes before it" for name in _STRONGER[installer] if environ.get(name))
    return _changed(installer, path, before, after, tuple(notes))


def undo(installer: Installer, environ: Mapping[str, str]) -> ChangedFile:
    """Take out what `install` wrote; raises `NotKnown` where nothing of it is there, and `DestinationError`."""
    path = _path(installer, environ)
    attempted = f"take the mount out of {path}"
    before = _read(attempted, path)
    if before is None:
        raise NotKnown(attempted, "there is no such file")
    try:
        after = without_index(installer, before)
    except CannotEditError as error:
        raise NotKnown(attempted, str(error), error.advice) from None
    _write(attempted, path, after)
    return _changed(installer, path, before, after, ())


def _path(installer: Installer, environ: Mapping[str, str]) -> Path:
    if environ.get(_OTHER_FILE[installer]):
        what = f"{_OTHER_FILE[installer]} names another file, which goes before the user's own"
        raise UsageError(f"configure {installer}", what, f"unset it, or add the lines there yourself: wheelfs config {installer}")
    return Path(environ.get("XDG_CONFIG_HOME") or home_directory(environ) / ".config") / _PLACES[installer]


def _read(attempted: str, path: Path) -> str | None:
    try:
        # A link to /dev/null switches the file off, and is not to be replaced by a file; a FIFO would be waited for.
        if path.exists() and not path.is_file():
            raise DestinationError(attempted, "it is not a regular file", "remove it, or add the line elsewhere yourself")
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise UsageError(attempted, "it is not UTF-8", "add the line yourself") from None
    except OSError as error:
        raise DestinationError(attempted, error.strerror or str(error), "check its owner and mode") from None


def _write(attempted: str, path: Path, text: str | None) -> None:
    """Replace the file whole, where a link to it leads; its mode and owner stay."""
    try:
        place = path.resolve()
        if text is None:
            place.unlink()
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        descriptor, new = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123  # it is open already
                file.write(text.encode())
                _take_on(descriptor, place)
                os.fsync(descriptor)
            Path(new).replace(place)
        except BaseException:
            Path(new).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DestinationError(attempted, error.strerror or str(error), "check its owner and mode") from None


def _take_on(descriptor: int, place: Path) -> None:
    try:
        before = place.stat()
    except FileNotFoundError:
        # As a new file has it: there is no secret in it.
        mask = os.umask(0o077)
        os.umask(mask)
        os.fchmod(descriptor, 0o666 & ~mask)
        return
    if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, before.st_mode & 0o7777)


def _changed(installer: Installer, path: Path, before: str | None, after: str | None, notes: tuple[str, ...]) -> ChangedFile:
    old, new = (before or "").splitlines(), (after or "").splitlines()
    return ChangedFile(
        client=installer,
        path=str(path),
        added=tuple(line for line in new if line not in old),
        removed=tuple(line for line in old if line not in new),
        notes=notes,
    )
