"""Settings of pip and uv that make a mount or a gateway useless to them, or show something else than what it has; pure functions.

Settings that name other indexes are in `wheelfs.core.resolve.installer_config`.
"""

from __future__ import annotations

import configparser
import re
from typing import TYPE_CHECKING, Final

import msgspec

from wheelfs.core.resolve import toml
from wheelfs.core.resolve.installer_config import pip_sections

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NO: Final = ("", "0", "false", "no", "off")
_LOOPBACK: Final = ("127.0.0.1", "localhost", "*")
_PROXIES: Final = ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "PIP_PROXY")


class Trap(msgspec.Struct, frozen=True):
    """A setting: ``place`` says where it is, for people, ``effect`` what comes of it."""

    place: str
    effect: str
    mend: str


def traps(
    pip_files: Iterable[tuple[str, str]], uv_files: Iterable[tuple[str, str]], environ: Mapping[str, str]
) -> Iterator[Trap]:
    """Yield what is found in configuration files, given as ``(place, text)``, and in the environment.

    Broken files are passed over.
    """
    for place in _no_index(pip_files, uv_files, environ):
        effect = "switches indexes off, those of a mount (file:///DIR/simple) too: only --find-links DIR works"
        yield Trap(place, effect, "remove it, or install with --find-links DIR, which has only what is stored or tracked")
    for place in _upload_cutoffs_of_uv(uv_files, environ):
        effect = "has no effect on the flat directory (--find-links DIR); in simple/ it hides files without an upload time"
        yield Trap(place, effect, "use the mount's simple/ or asof/TIME/simple, or set min-age")
    exceptions = re.split(r"[\s,]+", environ.get("no_proxy") or environ.get("NO_PROXY") or "")
    for name in _PROXIES:
        if environ.get(name) and not any(word in exceptions for word in _LOOPBACK):
            effect = "sends requests to a gateway on this machine to the proxy as well"
            yield Trap(f"{name} in the environment", effect, "add 127.0.0.1,localhost to no_proxy")
            return


def _no_index(
    pip_files: Iterable[tuple[str, str]], uv_files: Iterable[tuple[str, str]], environ: Mapping[str, str]
) -> Iterator[str]:
    for name in ("PIP_NO_INDEX", "UV_NO_INDEX"):
        if environ.get(name, "").strip().lower() not in _NO:
            yield f"{name} in the environment"
    for place, text in pip_files:
        try:
            sections = pip_sections(text)
        except configparser.Error:
            continue
        for section, said in sections.items():
            if said.get("no-index", "").strip().lower() not in _NO:
                yield f"{place} [{section}] no-index"
    for place, table in _tables(uv_files):
        if table.get("no-index") is True:
            yield f"{place} no-index"


def _upload_cutoffs_of_uv(uv_files: Iterable[tuple[str, str]], environ: Mapping[str, str]) -> Iterator[str]:
    if environ.get("UV_EXCLUDE_NEWER", "").strip():
        yield "UV_EXCLUDE_NEWER in the environment"
    for place, table in _tables(uv_files):
        if table.get("exclude-newer"):
            yield f"{place} exclude-newer"


def _tables(uv_files: Iterable[tuple[str, str]]) -> Iterator[tuple[str, Mapping[str, object]]]:
    for place, text in uv_files:
        try:
            whole = toml.loads(text)
        except ValueError:
            continue
        yield place, whole
        pip = whole.get("pip")
        if isinstance(pip, dict):
            yield f"{place} [pip]", pip
