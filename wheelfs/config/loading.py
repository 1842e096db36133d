"""Where values come from: flags over the environment over the user's file over the system's file over defaults.

All problems of all sources are collected and reported together, each with its place.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.config.options import OPTIONS
from wheelfs.config.redaction import redact
from wheelfs.config.settings import Settings, user_file
from wheelfs.config.suggestions import mistyped_variable, unknown_key
from wheelfs.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wheelfs.config.option import Option

SYSTEM_FILE: Final = Path("/etc/wheelfs.toml")
MAX_FILE_BYTES: Final = 1 << 20
"""A configuration is a page of text; more is the wrong file (a device, a wheel)."""

_OTHER_FILE: Final = "ask its owner to let you read it, or name another file by --config or WHEELFS_CONFIG"
_FOR_ALL: Final = (
    "put them into ~/.netrc or WHEELFS_INDEX_NAME_PASSWORD, or let a group alone read it: chgrp GROUP {path} && chmod 640 {path}"
    " (each wheelfs of users outside it then ends with an error)"
)


class Given(msgspec.Struct, frozen=True):
    """A value from the command line: for which field of `Settings`, its raw form, and the flag that it came with."""

    field: str
    value: object
    place: str


def load(
    given: Sequence[Given] = (),
    *,
    environ: Mapping[str, str] | None = None,
    config_file: Path | None = None,
    system_file: Path = SYSTEM_FILE,
) -> Settings:
    """Return the effective configuration, or raise `UsageError` with every problem found.

    ``config_file`` (``--config``, else ``WHEELFS_CONFIG``) replaces the user's and the system's file and must exist.
    """
    environ = os.environ if environ is None else environ
    loader = _Loader()
    for option in OPTIONS:
        if option.default is not None:
            loader.take(option, option.default(environ), "default", Path("/"))
    if config_file is None and environ.get("WHEELFS_CONFIG"):
        config_file = Path(environ["WHEELFS_CONFIG"])
    if config_file is not None:
        loader.read_file(Path(os.path.expanduser(config_file)), must_exist=True)  # noqa: PTH111 - which would raise for ~unknown
    else:
        loader.read_file(system_file, must_exist=False, is_all_users=True)
        loader.read_file(user_file(environ), must_exist=False)
    by_field = {option.field: option for option in OPTIONS}
    here = _working_directory()
    for option in OPTIONS:
        # An empty variable is an unset one, as shells and service files make it hard to say "unset".
        if environ.get(option.variable):
            loader.take(option, environ[option.variable], option.variable, here)
    loader.look_for_mistyped(environ)
    for value in given:
        loader.take(by_field[value.field], value.value, value.place, here)
    loader.look_for_ignored(given)
    return loader.result()


def _working_directory() -> Path:
    """Return the working directory; where that is gone, an empty path: what is relative stays so, and is found nowhere."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path()


class _Loader:
    """Values, where they came from, and what was wrong so far."""

    def __init__(self) -> None:
        self._values: dict[str, object] = {}
        self._provenance: dict[str, str] = {option.field: "default" for option in OPTIONS}
        self._problems: list[str] = []
        self._warnings: list[str] = []

    def take(self, option: Option, raw: object, place: str, base: Path) -> None:
        """Parse and keep one value, over what was there."""
        try:
            self._values[option.field] = option.kind.parse(raw, base)
            self._provenance[option.field] = place
        except ValueError as error:
            self._problems += [f"{place}: {line}" for line in str(error).splitlines()]

    def look_for_mistyped(self, environ: Mapping[str, str]) -> None:
        """Report variables that are probably misspelled: unnoticed, a quota or a token would be missing."""
        known = sorted(option.variable for option in OPTIONS)
        for name, value in environ.items():
            if name.startswith("WHEELFS_") and value and name not in known and (sentence := mistyped_variable(name, known)):
                self._problems.append(f"{name}: {sentence}")

    def look_for_ignored(self, given: Sequence[Given]) -> None:
        """Report indexes on the command line that would be ignored: they are what the caller wants now."""
        for value in given:
            if value.field == "indexes" and self._values.get("no_index"):
                because = self._provenance["no_index"]
                self._problems.append(f"{value.place}: no index is used because of {because}: leave out one of the two")

    def read_file(self, path: Path, *, must_exist: bool, is_all_users: bool = False) -> None:
        """Take everything that a TOML file says; with ``is_all_users`` each user of the machine has to read it."""
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                data = file.read(MAX_FILE_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):  # HOME is /dev/null for users who are to have none
            if must_exist:
                self._problems.append(f"{path}: there is no such file")
            return
        except OSError as error:
            advice = f" ({_OTHER_FILE})" if isinstance(error, PermissionError) else ""
            self._problems.append(f"{path}: {error.strerror or error}{advice}")
            return
        if len(data) > MAX_FILE_BYTES:
            self._problems.append(f"{path}: larger than {MAX_FILE_BYTES} bytes, so probably not a configuration file")
            return
        try:
            import tomllib  # most commands find no file

            document = tomllib.loads(data.decode())
        except (ValueError, RecursionError) as error:
            self._problems.append(f"{path}: not valid TOML: {error}")
            return
        if mode & stat.S_IROTH and redact(text := data.decode()) != text:
            mend = _FOR_ALL.format(path=path) if is_all_users else f"run chmod o-r {path}"
            self._warnings.append(f"{path} holds credentials and can be read by every user of this machine: {mend}")
        self._take_table(document, (), path)

    def _take_table(self, table: Mapping[str, object], above: tuple[str, ...], path: Path) -> None:
        known = {option.toml: option for option in OPTIONS}
        for key, value in table.items():
            key_path = (*above, key)
            place = f"{path}: {_toml_name(key_path)}"
            if (option := known.get(key_path)) is not None:
                self._take_toml(option, value, place, path.absolute().parent)
            elif any(toml[: len(key_path)] == key_path for toml in known):
                if isinstance(value, dict):
                    self._take_table(value, key_path, path)
                else:
                    self._problems.append(f"{place}: must be a table")
            else:
                siblings = {toml[len(above)] for toml in known if toml[: len(above)] == above and len(toml) > len(above)}
                where = f"{path}: [{'.'.join(above)}]: " if above else f"{path}: "
                self._problems.append(where + unknown_key(key, siblings))

    def _take_toml(self, option: Option, value: object, place: str, base: Path) -> None:
        is_tables = isinstance(value, list) and all(isinstance(item, dict) for item in value)
        if option.is_repeated and not is_tables:
            self._problems.append(f"{place}: must be [[{option.toml[0]}]] tables with url and name")
        elif not isinstance(value, option.kind.toml_types):
            self._problems.append(
                f"{place}: must be {option.kind.syntax}" + (", without quotes" if isinstance(value, str) else "")
            )
        else:
            self.take(option, value, place, base)

    def result(self) -> Settings:
        """Return the settings, or raise with all problems."""
        if self._problems:
            count = len(self._problems)
            lines = [redact(problem) for problem in self._problems]
            happened = lines[0] if count == 1 else f"{count} problems:" + "".join(f"\n  {line}" for line in lines)
            raise UsageError("read the configuration", happened)
        return Settings(**self._values, provenance=self._provenance, warnings=tuple(self._warnings))  # type: ignore[arg-type]  # every kind returns its field's type


def _toml_name(key_path: tuple[str, ...]) -> str:
    if key_path in {("index",), ("share",)}:
        return f"[[{key_path[0]}]]"
    return key_path[0] if len(key_path) == 1 else f"[{'.'.join(key_path[:-1])}] {key_path[-1]}"


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the variables that give another process, which reads the same files, the same settings.

    A daemon is a process of its own.  Its indexes may hold credentials, which every user could read on its command line, so they
    are passed in the environment.  Defaults, and what files say, come out the same there; and files may change.
    """
    return {
        option.variable: option.kind.as_text(getattr(settings, option.field))
        for option in OPTIONS
        if (place := settings.provenance.get(option.field, "default")) != "default" and not _is_of_file(place)
    }


def _is_of_file(place: str) -> bool:
    """Return whether a value comes from a file: `_Loader` names that before a colon, and neither flags nor variables have one."""
    return ": " in place
