"""Which index pip's and uv's configuration files name; pure functions of the files' texts.

Only one *default* index is taken.  Extra indexes and ``find-links`` are reported as ignored: pip merges all its indexes without
asking which one owns a name, so that a private name that a stranger registers on a public index is installed from there
(dependency confusion).  wheelfs knows an order of priority, which such a list does not give: several indexes are named with
``--index``.
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from wheelfs.core.resolve import toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PIP_SECTIONS: Final = ("install", "download", "global")
"""A command's own section wins over ``[global]``, whichever files they are in."""


_PIP_EXTRAS: Final = ("extra-index-url", "find-links")
_PIP_ACCESS: Final = ("cert", "client-cert", "proxy", "trusted-host")


@dataclass(frozen=True, slots=True)
class Setting:
    """An address (or another value) as a setting has it, which may hold credentials, and where that is, for people."""

    url: str = field(repr=False)
    place: str


@dataclass(frozen=True, slots=True)
class Named:
    """What files name: ``defaults`` are indexes, the one in force first; ``ignored`` what is asked beside the first.

    ``access`` is how pip reaches indexes: what is in force of ``cert``, ``client-cert``, ``proxy`` and ``trusted-host``.
    """

    defaults: tuple[Setting, ...]
    ignored: tuple[Setting, ...] = ()
    access: Mapping[str, Setting] = field(default_factory=dict)


def pip_sections(text: str) -> dict[str, dict[str, str]]:
    """Return what a configuration file of pip says, by section, under the names that pip itself makes of its keys.

    `index_url` and `--index-url` are `index-url`; where a section has several spellings, the last is in force.  Raises
    configparser.Error.  Source: pip's `Configuration`.
    """
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return {section: {pip_key(key): value for key, value in parser.items(section)} for section in parser.sections()}


def pip_key(key: str) -> str:
    """Return the name that pip makes of a key in lower case."""
    return key.replace("_", "-").removeprefix("--")


def from_pip(files: Iterable[tuple[str, str]]) -> Named:
    """Return what pip's files say, given as ``(place, text)`` from the weakest to the strongest.

    Raises ValueError, naming the place, for a text that is no such file.
    """
    found: dict[str, list[Setting]] = {section: [] for section in _PIP_SECTIONS}
    ignored: dict[tuple[str, str], list[Setting]] = {}
    access: dict[tuple[str, str], Setting] = {}
    for place, text in files:
        try:
            sections = pip_sections(text)
        except configparser.Error:
            raise ValueError(f"{place} is no valid pip configuration") from None
        for section in _PIP_SECTIONS:
            said = sections.get(section, {})
            if url := said.get("index-url", "").strip():
                found[section].insert(0, Setting(url, f"{place} [{section}] index-url"))
            for key in _PIP_EXTRAS:
                if key in said:
                    where = f"{place} [{section}] {key}"
                    ignored[section, key] = [Setting(url, where) for url in said[key].split()]
            for key in _PIP_ACCESS:
                if value := said.get(key, "").strip():
                    access[section, key] = Setting(value, f"{place} [{section}] {key}")
    extra = (next((ignored[section, key] for section in _PIP_SECTIONS if (section, key) in ignored), []) for key in _PIP_EXTRAS)
    return Named(
        tuple(setting for section in _PIP_SECTIONS for setting in found[section]),
        tuple(setting for settings in extra for setting in settings),
        {key: access[section, key] for section in reversed(_PIP_SECTIONS) for key in _PIP_ACCESS if (section, key) in access},
    )


def upload_cutoff(files: Iterable[tuple[str, str]]) -> str | None:
    """Return which of pip's files sets ``uploaded-prior-to``, for people; None when none does, broken ones passed over."""
    for place, text in files:
        try:
            sections = pip_sections(text)
        except configparser.Error:
            continue
        for section, said in sections.items():
            if said.get("uploaded-prior-to", "").strip():
                return f"{place} [{section}] uploaded-prior-to"
    return None


def from_uv(files: Iterable[tuple[str, str]]) -> Named:
    """Return what uv's ``uv.toml`` files say, given as ``(place, text)`` from the strongest to the weakest.

    Raises ValueError, naming the place, for a text that is no such file.
    """
    found: list[Setting] = []
    ignored: list[Setting] = []
    for place, text in files:
        try:
            whole = toml.loads(text)
        except ValueError:
            raise ValueError(f"{place} is no valid TOML") from None
        pip = whole.get("pip")
        for table, where in ((whole, place), (pip if isinstance(pip, dict) else {}, f"{place} [pip]")):
            for index in _tables(table.get("index")):
                url = index.get("url")
                if not isinstance(url, str):
                    continue
                if index.get("default") is not True:
                    ignored.append(Setting(url, f"{where} [[index]]"))
                else:
                    found.append(Setting(url, f"{where} [[index]] default"))
            url = table.get("index-url")
            if isinstance(url, str):
                found.append(Setting(url, f"{where} index-url"))
            for key in _PIP_EXTRAS:
                extra = table.get(key)
                if isinstance(extra, list):
                    ignored.extend(Setting(item, f"{where} {key}") for item in extra if isinstance(item, str))
    return Named(tuple(found), tuple(ignored))


def without_name(value: str) -> str:
    """Return the URL of a value that may be written ``NAME=URL``, as uv allows."""
    name, equals, url = value.partition("=")
    return url if equals and not any(mark in name for mark in ":/?#") else value


def _tables(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
