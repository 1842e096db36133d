"""Lines and files that make clients use a gateway, as its pages and ``wheelfs serve`` show them; tests run them with the clients.

Where the gateway has a token, ``TOKEN`` stands for it: no page holds a credential.
"""

from __future__ import annotations

from typing import Final

USER: Final = "__token__"
PLACEHOLDER: Final = "TOKEN"


def setup_lines(base_url: str, package: str = "PACKAGE", *, has_token: bool = False) -> dict[str, str]:
    """Return the lines that make pip, uv and poetry use the gateway at ``base_url`` (without a slash at its end)."""
    place = _untrusted(base_url)
    trust = f"--trusted-host {place} " if place else ""
    url = _index_url(base_url, has_token=has_token)
    return {
        "pip": f"pip install {trust}--index-url {url} {package}",
        "uv": f"uv pip install --default-index {url} {package}",
        # It keeps credentials apart, and would write them into pyproject.toml.
        "poetry": f"poetry source add --priority primary wheelfs {base_url}/simple/",
    }


def settings_files(base_url: str, *, has_token: bool = False) -> dict[str, str]:
    """Return what to write into the configuration of each client, or to run once, by the file's or the client's name."""
    url, place = _index_url(base_url, has_token=has_token), _untrusted(base_url)
    plain = f"{base_url}/simple/"
    pip = ["[global]", f"index-url = {url}", *([f"trusted-host = {place}"] if place else [])]
    uv = ["# for uv pip; leaves uv lock and uv sync alone", "[pip]", f'index-url = "{url}"', ""]
    uv += ["# for all of uv; uv.lock then names this gateway", "# [[index]]", f'# url = "{url}"', "# default = true"]
    poetry = [f"poetry source add --priority primary wheelfs {plain}"]
    poetry += [f"poetry config http-basic.wheelfs {USER} {PLACEHOLDER}"] if has_token else []
    pdm = [f"pdm config pypi.url {plain}", *(["pdm config pypi.verify_ssl false"] if place else [])]
    pdm += [f"pdm config pypi.username {USER}", f"pdm config pypi.password {PLACEHOLDER}"] if has_token else []
    docker = [f"ENV PIP_INDEX_URL={plain} UV_DEFAULT_INDEX={plain}", *([f"ENV PIP_TRUSTED_HOST={place}"] if place else [])]
    if has_token:
        host = base_url.partition("://")[2].rpartition(":")[0].strip("[]") or base_url.partition("://")[2]
        docker += [f"# .netrc: machine {host} login {USER} password {PLACEHOLDER}"]
        docker += ["# docker build --secret id=netrc,src=$HOME/.netrc ."]
        docker += ["RUN --mount=type=secret,id=netrc,target=/root/.netrc pip install -r requirements.txt"]
    else:
        docker += ["RUN pip install -r requirements.txt"]
    texts = {"pip.conf": pip, "uv.toml": uv, "poetry": poetry, "pdm": pdm, "Dockerfile": docker}
    return {name: "\n".join(lines) for name, lines in texts.items()}


def is_loopback(url: str) -> bool:
    """Return whether an address, which may be as odd as a client's Host header, is visibly a loopback address."""
    place = url.partition("://")[2]
    return place.startswith(("127.", "[::1]")) or place.partition(":")[0] == "localhost"


def _untrusted(base_url: str) -> str | None:
    """Return host and port of a gateway that installers leave out unless told otherwise: on another machine, without TLS."""
    scheme, _, place = base_url.partition("://")
    return None if scheme == "https" or is_loopback(base_url) else place


def _index_url(base_url: str, *, has_token: bool) -> str:
    scheme, _, place = base_url.partition("://")
    return f"{scheme}://{USER}:{PLACEHOLDER}@{place}/simple/" if has_token else f"{base_url}/simple/"
