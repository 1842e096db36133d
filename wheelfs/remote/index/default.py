"""The index that pip or uv is configured with on this machine: what wheelfs uses when none is named."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from wheelfs.config.indexes import check_proxy
from wheelfs.config.settings import home_directory
from wheelfs.core.proxy.environment import PROXIES
from wheelfs.core.resolve.installer_config import Named, Setting, from_pip, from_uv, upload_cutoff, without_name
from wheelfs.core.resolve.installer_traps import traps
from wheelfs.errors import UsageError
from wheelfs.remote.http.tls import CA_VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wheelfs.core.resolve.installer_traps import Trap

log = logging.getLogger(__name__)

MAX_FILE_BYTES: Final = 1 << 20
ASKED_S: Final = 10.0
"""For starting a Python and importing a module of pip: 0.1 s, more on a network file system."""

_VARIABLES: Final = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL")
_EXTRA_VARIABLES: Final = ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
_ACCESS_VARIABLES: Final = {"client-cert": "PIP_CLIENT_CERT", "proxy": "PIP_PROXY", "trusted-host": "PIP_TRUSTED_HOST"}
_PYPI: Final = "PyPI"


@dataclass(frozen=True, slots=True)
class Configured:
    """What pip and uv are configured with: ``url`` is None for PyPI, and may hold credentials, as may ``proxy``.

    ``notes`` are sentences about what is configured and is not taken; no address is in them.  ``ca``, ``client_cert`` and
    ``proxy`` are as of an `IndexSetting`.
    """

    url: str | None = field(repr=False)
    from_where: str
    notes: tuple[str, ...] = ()
    ca: Path | None = None
    client_cert: Path | None = None
    proxy: str | None = field(default=None, repr=False)


def read_text(path: Path) -> str | None:
    """Return a configuration file's text, or None when there is none that can be read."""
    try:
        if not path.is_file():
            return None
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(MAX_FILE_BYTES)
    except OSError:
        return None


def configured_index(
    environ: Mapping[str, str],
    read: Callable[[Path], str | None] = read_text,
    *,
    leads_back: Callable[[str], str | None] = lambda _url: None,
) -> Configured:
    """Return the index of pip's or uv's configuration, else PyPI.

    The environment comes first (``PIP_INDEX_URL``, ``UV_DEFAULT_INDEX``, ``UV_INDEX_URL``), then pip's files, then uv's.  A
    file that is broken is passed over with a warning, and an index that ``leads_back`` into wheelfs (it says where, for people)
    with a note.  Where it is not uv's, it is reached as pip reaches it: by its ``cert``, ``client-cert`` and ``proxy``.  Sources:
    pip's "Configuration", uv's "Configuration files".
    """
    pip = _tolerant(from_pip, _present(_pip_files(environ), read))
    uv = _tolerant(from_uv, _present(_uv_files(environ), read))
    passed_over, taken = [], Configured(None, "PyPI, since neither pip nor uv is configured with another index")
    is_uvs = False
    for setting in (*_in_environment(environ, _VARIABLES), *pip.defaults, *uv.defaults):
        url = _as_url(setting.url)
        if (where := leads_back(url)) is None:
            taken = Configured(url, setting.place)
            is_uvs = setting in uv.defaults or setting.place.startswith("UV_")
            break
        passed_over.append(f"{setting.place} leads to {where}")
    notes = []
    if passed_over:
        instead = _PYPI if taken.url is None else taken.from_where
        notes.append(
            f"{', and '.join(passed_over)}: no index to ask, so {instead} is taken instead (or name one: --index NAME=URL)"
        )
    extra = (*_in_environment(environ, _EXTRA_VARIABLES), *pip.ignored, *uv.ignored)
    # What is stored is shown there, and that wheelfs' own places are not asked for more is no loss.
    places = dict.fromkeys(setting.place for setting in extra if leads_back(_as_url(setting.url)) is None)
    if places:
        notes.append(
            f"not taken as indexes: {', '.join(places)}; packages from there are not stored "
            "(name an index with --index NAME=URL, add files with wheelfs add)"
        )
    if not is_uvs:
        taken = _reached_as_by_pip(taken, pip.access, environ, notes)
    return replace(taken, notes=tuple(notes))


def _reached_as_by_pip(
    taken: Configured, files: Mapping[str, Setting], environ: Mapping[str, str], notes: list[str]
) -> Configured:
    """Return the index with what pip says of reaching it; what cannot be taken is added to ``notes``."""
    said = _access_of_pip(files, environ)
    found: dict[str, Path] = {}
    for key in ("cert", "client-cert"):
        if key in said:
            path = _path_of(said[key])
            if os.access(path, os.F_OK):  # exists() raises where it may not be looked at
                found[key] = path
            else:
                notes.append(f"{said[key].place} is not taken: there is no such file, or not for this user")
    taken = replace(taken, ca=found.get("cert"), client_cert=found.get("client-cert"))
    if proxy := said.get("proxy"):
        try:
            taken = replace(taken, proxy=_as_proxy(proxy))
        except ValueError:
            notes.append(f"{proxy.place} is not taken: a proxy must be of the form http://HOST:PORT")
    parts = urlsplit(taken.url or "")
    trusted = said.get("trusted-host")
    if trusted and parts.scheme == "https" and {parts.hostname, parts.netloc.rpartition("@")[2]} & set(trusted.url.split()):
        notes.append(
            f"{trusted.place} is not taken: the certificate of the index is checked "
            "(pip's cert, SSL_CERT_FILE, or ca in its [[index]], name whom to trust)"
        )
    return taken


def _access_of_pip(files: Mapping[str, Setting], environ: Mapping[str, str]) -> dict[str, Setting]:
    """Return what is in force of pip's settings of access: what its variables say, else its ``files``.

    Variables that are everybody's (``SSL_CERT_FILE``, ``HTTPS_PROXY``) go first, as for any index.
    """
    said = {**files, **{key: setting for key, name in _ACCESS_VARIABLES.items() for setting in _in_environment(environ, (name,))}}
    for key, names in (("cert", CA_VARIABLES), ("proxy", (*PROXIES, *map(str.lower, PROXIES)))):
        if any(environ.get(name) for name in names):
            said.pop(key, None)
    return said


def _path_of(setting: Setting) -> Path:
    return Path(os.path.expanduser(setting.url)).absolute()  # noqa: PTH111 - which would raise for ~unknown


def _as_proxy(setting: Setting) -> str:
    """Return the address of a proxy, which pip takes without ``http://``, too; raises ValueError."""
    return check_proxy(setting.url if "://" in setting.url else f"http://{setting.url}")


def pip_proxy(environ: Mapping[str, str], read: Callable[[Path], str | None] = read_text) -> str | None:
    """Return the proxy that pip alone is configured with; None where there is none, or none that can be used."""
    pip = _tolerant(from_pip, _present(_pip_files(environ), read))
    proxy = _access_of_pip(pip.access, environ).get("proxy")
    try:
        return None if proxy is None else _as_proxy(proxy)
    except ValueError:
        return None


def pip_ca(environ: Mapping[str, str], read: Callable[[Path], str | None] = read_text) -> Path | None:
    """Return where the authorities are that pip's files name; None where none can be read, or ``PIP_CERT`` goes before them."""
    cert = _tolerant(from_pip, _present(_pip_files(environ), read)).access.get("cert")
    path = None if cert is None or environ.get("PIP_CERT") else _path_of(cert)
    return path if path is not None and os.access(path, os.R_OK) else None


def _in_environment(environ: Mapping[str, str], variables: tuple[str, ...]) -> list[Setting]:
    found = []
    for variable in variables:
        value = environ.get(variable, "").strip()
        items = value.split() if variable in _EXTRA_VARIABLES else [value]
        found += [Setting(without_name(item), f"{variable} in the environment") for item in items if item]
    return found


def pip_upload_cutoff(environ: Mapping[str, str], read: Callable[[Path], str | None] = read_text) -> str | None:
    """Return where pip is told to take only files uploaded before some time, for people; None where it is not."""
    if environ.get("PIP_UPLOADED_PRIOR_TO", "").strip():
        return "PIP_UPLOADED_PRIOR_TO in the environment"
    return upload_cutoff(_present(_pip_files(environ), read))


def installer_traps(environ: Mapping[str, str], read: Callable[[Path], str | None] = read_text) -> list[Trap]:
    """Return the settings of pip and uv on this machine that defeat a mount or a gateway."""
    return list(traps(_present(_pip_files(environ), read), _present(_uv_files(environ), read), environ))


def _pip_files(environ: Mapping[str, str]) -> list[Path]:
    """Return where pip looks, from the weakest to the strongest: all hosts', the user's, the environment's, the one named."""
    own = environ.get("PIP_CONFIG_FILE")
    if own == os.devnull:
        return []
    home = home_directory(environ)
    shared = [Path(place) / "pip/pip.conf" for place in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":") if place]
    files = [*reversed(shared), Path("/etc/pip.conf")]
    if own is None or not os.access(own, os.F_OK):
        files += [home / ".pip/pip.conf", Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf"]
    files.append(Path(environ.get("VIRTUAL_ENV") or sys.prefix) / "pip.conf")
    return files if own is None else [*files, Path(own)]


def _uv_files(environ: Mapping[str, str]) -> list[Path]:
    """Return where uv looks, from the strongest to the weakest; a project's own file is no business of a mount."""
    if environ.get("UV_NO_CONFIG", "").lower() not in ("", "0", "false"):
        return []
    if own := environ.get("UV_CONFIG_FILE"):
        return [Path(own)]
    user = Path(environ.get("XDG_CONFIG_HOME") or home_directory(environ) / ".config") / "uv/uv.toml"
    shared = [Path(place) / "uv/uv.toml" for place in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":") if place]
    return [user, *shared, Path("/etc/uv/uv.toml")]


def _present(paths: list[Path], read: Callable[[Path], str | None]) -> list[tuple[str, str]]:
    return [(str(path), text) for path in paths if (text := read(path)) is not None]


def _tolerant(parse: Callable[[list[tuple[str, str]]], Named], files: list[tuple[str, str]]) -> Named:
    """Parse all files that can be parsed: one that is broken must not hide the others, nor keep a mount from starting."""
    good: list[tuple[str, str]] = []
    for file in files:
        try:
            parse([file])
        except ValueError as error:
            log.warning("%s, and is passed over", error)
        else:
            good.append(file)
    return parse(good)


def _as_url(text: str) -> str:
    """Return a URL; pip and uv take a plain path as well."""
    return text if "://" in text else Path(text).absolute().as_uri()


def pypi_url(environ: Mapping[str, str]) -> str:
    """Return PyPI's address as pip knows it: our own Python's, else that of the Python below a virtual environment or on PATH.

    pip, which is one of our dependencies, calls the module internal, and has kept the name since 2018.  The library that offers
    the address publicly (pypi-simple) brings eleven others.  Raises `UsageError` where no pip can be asked.
    """
    try:
        from pip._internal.models.index import PyPI  # imported here: only a machine on which nothing is configured needs it

        return str(PyPI.simple_url)
    except (ImportError, AttributeError):
        pass
    for python in _other_pythons(environ):
        if (url := _asked(python)) is not None:
            return url
    raise UsageError(
        "find an index",
        "none is configured, and there is no pip here that knows PyPI's address",
        "name one: --index NAME=URL",
    )


def _other_pythons(environ: Mapping[str, str]) -> list[str]:
    named = (shutil.which(name, path=environ.get("PATH", os.defpath)) for name in ("python3", "python"))
    found = dict.fromkeys((getattr(sys, "_base_executable", None), *named))
    return [python for python in found if python and python != sys.executable]


def _asked(python: str) -> str | None:
    """Return what another Python's pip says; None when it has none."""
    command = [python, "-I", "-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=ASKED_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("%s cannot be asked for PyPI's address: %s", python, error)
        return None
    url = done.stdout.strip()
    return url if done.returncode == 0 and url.startswith(("https://", "http://")) else None
