"""Which index is used when none is named: pip's, uv's, or PyPI."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
from pip._internal.models.index import PyPI

from tests.fakes.processes import ROOT
from wheelfs.errors import UsageError
from wheelfs.remote.index.default import Configured, configured_index, pip_ca, pip_proxy, pypi_url, read_text

PYPI = str(PyPI.simple_url)
USER_PIP = "/home/me/.config/pip/pip.conf"
USER_UV = "/home/me/.config/uv/uv.toml"
UNSEEN = f"/{'x' * 300}"
"""Cannot be looked at by any user, as a path below another's private directory: looking is an error that is no ENOENT."""


def leads_back(url: str) -> str | None:
    return "the mount at /mnt/wheels" if url.startswith("file:///mnt/wheels") else None


def index(files: dict[str, str] | None = None, **environ: str) -> Configured:
    texts = files or {}
    return configured_index({"HOME": "/home/me", **environ}, lambda path: texts.get(str(path)), leads_back=leads_back)


def url(files: dict[str, str] | None = None, **environ: str) -> str:
    return index(files, **environ).url or pypi_url(environ)


def pip_conf(where: str, section: str = "global") -> str:
    return f"[{section}]\nindex-url = https://{where}.example/simple\n"


def test_the_environment_wins_pips_variable_first() -> None:
    files = {USER_PIP: pip_conf("file")}
    everything = {
        "PIP_INDEX_URL": "https://pip.example/simple",
        "UV_DEFAULT_INDEX": "https://uv.example/simple",
        "UV_INDEX_URL": "https://old.example/simple",
    }
    for variable, expected in [("PIP_INDEX_URL", "pip"), ("UV_DEFAULT_INDEX", "uv"), ("UV_INDEX_URL", "old")]:
        found = index(files, **everything)
        assert found.url == f"https://{expected}.example/simple"
        assert variable in found.from_where
        del everything[variable]
    assert url(files, **everything) == "https://file.example/simple"


def test_uvs_variable_may_give_a_name() -> None:
    assert url(UV_DEFAULT_INDEX="lab=https://uv.example/simple") == "https://uv.example/simple"
    assert url(UV_DEFAULT_INDEX="https://uv.example/simple?a=b") == "https://uv.example/simple?a=b"


def test_pips_files_are_read_from_the_weakest_to_the_strongest() -> None:
    files = {
        "/etc/xdg/pip/pip.conf": pip_conf("xdg"),
        "/etc/pip.conf": pip_conf("etc"),
        "/home/me/.pip/pip.conf": pip_conf("legacy"),
        USER_PIP: pip_conf("user"),
        "/venv/pip.conf": pip_conf("site"),
        "/named.conf": pip_conf("named"),
    }
    environ = {"VIRTUAL_ENV": "/venv", "PIP_CONFIG_FILE": "/named.conf"}
    for strongest, expected in reversed(list(zip(files, ["xdg", "etc", "legacy", "user", "site", "named"], strict=True))):
        found = index(files, **environ)
        assert found.url == f"https://{expected}.example/simple"
        assert strongest in found.from_where
        del files[strongest]


def test_a_named_file_that_exists_replaces_the_users(tmp_path: Path) -> None:
    named = tmp_path / "pip.conf"
    named.write_text("")
    assert (
        url({USER_PIP: pip_conf("user"), "/etc/pip.conf": pip_conf("etc")}, PIP_CONFIG_FILE=str(named))
        == "https://etc.example/simple"
    )


def test_pips_files_can_be_switched_off() -> None:
    files = {USER_PIP: pip_conf("user"), USER_UV: 'index-url = "https://uv.example/simple"'}
    assert url(files, PIP_CONFIG_FILE="/dev/null") == "https://uv.example/simple"


def test_a_commands_section_wins_over_the_global_one_of_a_stronger_file() -> None:
    files = {"/etc/pip.conf": pip_conf("install", "install"), USER_PIP: pip_conf("user")}
    assert url(files) == "https://install.example/simple"


@pytest.mark.parametrize("spelling", ["{}index_url", "--{}index-url", "{}INDEX_URL"])
def test_every_spelling_of_a_key_that_pip_takes_is_taken(spelling: str) -> None:
    lines = [f"{spelling.format(kind)} = https://{name}.example/simple" for kind, name in (("", "lab"), ("extra_", "more"))]
    text = "\n".join(["[global]", *lines])
    found = index({USER_PIP: text})
    assert found.url == "https://lab.example/simple"
    assert f"{USER_PIP} [global] extra-index-url" in found.notes[0]


def test_every_way_of_uv_to_name_its_default_is_understood() -> None:
    for text in (
        '[[index]]\nname = "x"\nurl = "https://x.example/simple"\n[[index]]\nurl = "https://uv.example/simple"\ndefault = true\n',
        'index-url = "https://uv.example/simple"',
        '[pip]\nindex-url = "https://uv.example/simple"',
    ):
        assert url({USER_UV: text}) == "https://uv.example/simple"
        assert url({"/etc/uv/uv.toml": text}) == "https://uv.example/simple"


def test_uvs_user_file_wins_over_the_systems() -> None:
    files = {"/etc/uv/uv.toml": 'index-url = "https://etc.example/simple"', USER_UV: 'index-url = "https://user.example/simple"'}
    assert url(files) == "https://user.example/simple"


def test_extra_indexes_are_reported_and_not_taken() -> None:
    files = {
        USER_PIP: pip_conf("main") + "extra-index-url =\n    https://extra1.example/simple\n    https://extra2.example/simple\n",
        USER_UV: '[[index]]\nurl = "https://extra3.example/simple"\n',
    }
    found = index(files, PIP_EXTRA_INDEX_URL="https://extra0.example/simple")
    assert found.url == "https://main.example/simple"
    assert found.notes == (
        f"not taken as indexes: PIP_EXTRA_INDEX_URL in the environment, {USER_PIP} [global] extra-index-url, {USER_UV} [[index]]"
        "; packages from there are not stored (name an index with --index NAME=URL, add files with wheelfs add)",
    )


def test_of_what_is_not_taken_no_address_is_told() -> None:
    secret = "https://me:hunter2@extra.example/simple"
    for files in (
        {USER_PIP: f"[global]\nextra-index-url = {secret}\n"},
        {USER_PIP: f"[install]\nfind-links = /srv/wheels {secret}\n"},
        {USER_UV: f'find-links = ["{secret}"]'},
        {USER_UV: f'[pip]\nextra-index-url = ["{secret}"]'},
    ):
        ((place, _),) = files.items()
        (note,) = index(files).notes
        assert place in note
        assert "extra.example" not in note
        assert "hunter2" not in repr(index(files))
    for variable in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"):
        (note,) = configured_index({"HOME": "/home/me", variable: secret}, lambda _path: None).notes
        assert f"{variable} in the environment" in note


def test_what_is_taken_from_pip_is_reached_as_pip_reaches_it(tmp_path: Path) -> None:
    for name in ("ca.pem", "me.pem"):
        (tmp_path / name).touch()
    access = f"cert = {tmp_path}/ca.pem\nclient-cert = {tmp_path}/me.pem\nproxy = me:hunter2@proxy.example:3128\n"
    certificates = (tmp_path / "ca.pem", tmp_path / "me.pem")
    for files in ({USER_PIP: pip_conf("lab") + access}, {USER_PIP: f"[global]\n{access}"}):
        found = index(files)
        assert (found.ca, found.client_cert, found.proxy) == (*certificates, "http://me:hunter2@proxy.example:3128")
        assert found.notes == ()
        assert "hunter2" not in repr(found)
        found = index(files, PIP_CLIENT_CERT=str(certificates[0]), PIP_PROXY="http://other.example:8080")
        assert (found.ca, found.client_cert, found.proxy) == (certificates[0], certificates[0], "http://other.example:8080")
        # What the environment says to all is what every index is reached by.
        found = index(files, SSL_CERT_FILE="/x.pem", https_proxy="http://other.example:8080")
        assert (found.ca, found.client_cert, found.proxy) == (None, certificates[1], None)
    files = {"/etc/pip.conf": f"[install]\n{access}", USER_PIP: "[global]\nproxy = http://weaker.example:1\n"}
    assert index(files).proxy == "http://me:hunter2@proxy.example:3128"


def test_the_proxy_of_pip_alone_is_known_whatever_the_index() -> None:
    files = {USER_PIP: "[global]\nproxy = proxy.example:3128\n"}
    for environ, expected in (
        ({}, "http://proxy.example:3128"),
        ({"UV_DEFAULT_INDEX": "https://uv.example/simple"}, "http://proxy.example:3128"),
        ({"PIP_PROXY": "http://other.example:8080"}, "http://other.example:8080"),
        ({"PIP_PROXY": "socks5://other.example:1080"}, None),
        ({"HTTPS_PROXY": "http://other.example:8080"}, None),
    ):
        assert pip_proxy({"HOME": "/home/me", **environ}, lambda path: files.get(str(path))) == expected


def test_the_authorities_of_pips_files_are_those_that_can_be_read_and_no_variable_goes_before(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    files: dict[str, str] = {}
    for name, environ, expected in (
        ("ca.pem", {}, tmp_path / "ca.pem"),
        ("ca.pem", {"SSL_CERT_FILE": "/etc/ssl/other.pem"}, tmp_path / "ca.pem"),
        ("ca.pem", {"PIP_CERT": "/etc/ssl/other.pem"}, None),
        ("absent.pem", {}, None),
    ):
        files[USER_PIP] = f"[global]\ncert = {tmp_path / name}\n"
        assert pip_ca({"HOME": "/home/me", **environ}, lambda path: files.get(str(path))) == expected


def test_what_uv_is_configured_with_is_not_reached_as_by_pip() -> None:
    files = {USER_PIP: "[global]\nproxy = http://proxy.example:3128\n", USER_UV: 'index-url = "https://uv.example/simple"'}
    assert index(files).proxy is None
    assert index(UV_DEFAULT_INDEX="https://uv.example/simple", PIP_PROXY="http://proxy.example:3128").proxy is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("cert = /nowhere/ca.pem", "there is no such file"),
        ("client-cert = ~no-such-user/me.pem", "there is no such file"),
        (f"client-cert = {UNSEEN}", "or not for this user"),
        ("proxy = socks5://me:hunter2@proxy.example:1080", "must be of the form http://HOST:PORT"),
        ("trusted-host = other.example lab.example", "the certificate of the index is checked"),
    ],
)
def test_how_pip_reaches_it_and_wheelfs_cannot_is_told(line: str, why: str) -> None:
    found = index({USER_PIP: f"{pip_conf('lab')}{line}\n"})
    assert (found.ca, found.client_cert, found.proxy) == (None, None, None)
    (note,) = found.notes
    assert note.startswith(f"{USER_PIP} [global] {line.partition(' ')[0]} is not taken")
    assert why in note
    assert "hunter2" not in note


def test_of_a_mount_beside_the_index_nothing_is_told() -> None:
    assert index({USER_UV: '[pip]\nfind-links = ["/mnt/wheels"]'}, PIP_FIND_LINKS="file:///mnt/wheels/").notes == ()


def test_what_leads_back_is_passed_over_for_the_next_that_is_configured() -> None:
    back = "file:///mnt/wheels/here/simple"
    files = {
        "/etc/xdg/pip/pip.conf": f"[global]\nindex-url = {back}\n",
        "/etc/pip.conf": pip_conf("etc"),
        USER_PIP: f"[global]\nindex-url = {back}\n",
        USER_UV: f'index-url = "{back}"\n[pip]\nindex-url = "https://uv.example/simple"',
    }
    found = index(files, PIP_INDEX_URL="/mnt/wheels/simple")
    assert found.url == "https://etc.example/simple"
    assert found.notes == (
        f"PIP_INDEX_URL in the environment leads to the mount at /mnt/wheels, and {USER_PIP} [global] index-url leads to the "
        "mount at /mnt/wheels: no index to ask, so /etc/pip.conf [global] index-url is taken instead "
        "(or name one: --index NAME=URL)",
    )
    del files["/etc/pip.conf"]
    assert index(files).url == "https://uv.example/simple"
    del files[USER_UV]
    assert index(files).url is None
    assert "PyPI is taken instead" in index(files).notes[0]
    assert index(files, PIP_INDEX_URL="https://pip.example/simple").notes == ()


def test_a_broken_file_is_passed_over_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    files = {USER_PIP: "index-url without a section", "/etc/pip.conf": pip_conf("etc"), USER_UV: "= ="}
    assert url(files) == "https://etc.example/simple"
    assert USER_PIP in caplog.text
    assert USER_UV in caplog.text


def test_values_of_the_wrong_type_are_passed_over() -> None:
    assert url({USER_UV: "index-url = 7\nindex = [1]\npip = 3\nextra-index-url = 1", "/etc/pip.conf": pip_conf("etc")}).endswith(
        "etc.example/simple"
    )


def test_a_plain_path_becomes_an_address() -> None:
    assert url(PIP_INDEX_URL="/srv/my simple") == "file:///srv/my%20simple"


def test_without_any_configuration_it_is_pypi() -> None:
    found = index()
    assert found.url is None
    assert url() == PYPI
    assert "PyPI" in found.from_where
    assert found.notes == ()


def test_an_address_with_a_password_cannot_be_printed() -> None:
    assert "hunter2" not in repr(index(PIP_INDEX_URL="https://me:hunter2@index.example/simple"))


def test_unreadable_files_count_as_absent(tmp_path: Path) -> None:
    assert read_text(tmp_path) is None
    assert read_text(tmp_path / "missing") is None
    assert read_text(Path("/dev/zero")) is None


def test_a_file_of_pip_that_this_user_may_not_look_at_is_none_as_for_pip() -> None:
    """As it is after ``su -m``."""
    assert url({USER_PIP: pip_conf("mine")}, PIP_CONFIG_FILE=UNSEEN) == "https://mine.example/simple"
    assert url(PIP_CONFIG_FILE=UNSEEN) == PYPI


def test_a_pip_is_brought_along_since_environments_of_uv_and_servers_have_none() -> None:
    """Without any, ``status`` and ``config`` would fail as well."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "pip" in project["dependencies"]


@pytest.fixture
def without_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an environment that uv made."""
    monkeypatch.setitem(sys.modules, "pip._internal.models.index", None)
    monkeypatch.setattr(sys, "_base_executable", sys.executable)


def python_that(path: Path, script: str) -> str:
    path.mkdir(parents=True)
    (path / "python3").write_text(f"#!/bin/sh\n{script}\n")
    (path / "python3").chmod(0o755)
    return str(path)


@pytest.mark.usefixtures("without_pip")
def test_without_a_pip_of_our_own_the_one_below_a_virtual_environment_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = python_that(tmp_path / "base", "echo https://base.example/simple")
    monkeypatch.setattr(sys, "_base_executable", f"{base}/python3")
    elsewhere = python_that(tmp_path / "bin", "echo https://path.example/simple")
    assert url({}, PATH=elsewhere) == "https://base.example/simple"


@pytest.mark.usefixtures("without_pip")
def test_without_any_other_the_pip_of_the_python_on_path_is_asked(tmp_path: Path) -> None:
    assert url({}, PATH=python_that(tmp_path / "bin", "echo https://path.example/simple")) == "https://path.example/simple"


@pytest.mark.usefixtures("without_pip")
def test_a_real_python_is_asked_as_our_own_is(tmp_path: Path) -> None:
    assert url({}, PATH=python_that(tmp_path / "bin", f'exec "{sys.executable}" "$@"')) == PYPI


@pytest.mark.usefixtures("without_pip")
@pytest.mark.parametrize("script", ["exit 1", "echo no address", None])
def test_with_no_pip_at_all_the_error_says_what_to_do(tmp_path: Path, script: str | None) -> None:
    path = "/nonexistent" if script is None else python_that(tmp_path / "bin", script)
    with pytest.raises(UsageError, match="--index NAME=URL"):
        url({}, PATH=path)


@pytest.mark.usefixtures("without_pip")
def test_what_is_configured_needs_no_pip() -> None:
    assert url({"/etc/pip.conf": pip_conf("etc")}, PATH="/nonexistent").startswith("https://etc.example")
