"""Where user names and passwords come from, and that they go to one origin only."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from wheelfs.errors import UsageError
from wheelfs.remote.http.credentials import Credentials, Lent, credentials_for, split_userinfo
from wheelfs.remote.http.user_netrc import Netrc
from wheelfs.remote.index.http import HttpIndex

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://index.example/simple"
NO_NETRC = Netrc({}, renew_after_s=0)


def found(url: str, **environ: str) -> tuple[str, str] | None:
    clean, credentials = credentials_for("my-lab", url, environ, Netrc(environ, renew_after_s=0))
    assert "@" not in clean
    return None if credentials is None else (credentials.username, credentials.password)


def test_userinfo_is_split_off_and_decoded() -> None:
    assert split_userinfo("https://me%40lab:p%3Aw@index.example:8443/simple/?a=b#c") == (
        "https://index.example:8443/simple/?a=b",
        "me@lab",
        "p:w",
    )
    assert split_userinfo("https://a@b:c@index.example/x")[0] == "https://index.example/x"


def test_nothing_is_found_where_there_is_nothing() -> None:
    assert found(URL) is None


def test_a_token_alone_counts_as_either_half() -> None:
    assert found("https://token@index.example/simple") == ("token", "")
    assert found("https://:token@index.example/simple") == ("", "token")


def test_the_environment_wins_over_the_url() -> None:
    assert found("https://a:b@index.example/simple", WHEELFS_INDEX_MY_LAB_PASSWORD="c") == ("a", "c")
    assert found(URL, WHEELFS_INDEX_MY_LAB_USERNAME="x", WHEELFS_INDEX_MY_LAB_PASSWORD="y") == ("x", "y")


def test_netrc_completes_the_user_that_the_url_names(tmp_path: Path) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine index.example login me password secret\n")
    netrc.chmod(0o600)
    assert found(URL, HOME=str(tmp_path)) == ("me", "secret")
    assert found("https://me@index.example/simple", NETRC=str(netrc)) == ("me", "secret")
    assert found("https://other@index.example/simple", NETRC=str(netrc)) == ("other", "")
    assert found("https://elsewhere.example/simple", NETRC=str(netrc)) is None


def test_a_netrc_that_may_not_be_looked_at_is_none() -> None:
    """Another user's, whose HOME was kept (sudo, su -m): stands for it a name that no file may have."""
    assert found(URL, NETRC=f"/{'x' * 300}") == found(URL)


def test_a_broken_netrc_is_passed_over_without_quoting_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine index.example login me passwort hunter2\n")
    assert found(URL, NETRC=str(netrc)) is None
    assert "cannot be read" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("url", ["https://index.example:port/simple", "https://[::1/simple"])
def test_an_address_that_is_none_is_a_usage_error_without_its_password(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        credentials_for("lab", url.replace("://", "://user:hunter2@"), {}, NO_NETRC)
    assert "hunter2" not in str(refused.value)


async def test_the_header_is_for_the_same_scheme_host_and_port_only() -> None:
    _, credentials = credentials_for("lab", "https://me:pw@index.example/simple", {}, NO_NETRC)
    assert credentials is not None
    expected = {"Authorization": "Basic " + base64.b64encode(b"me:pw").decode()}
    for same in ("https://index.example/files/x", "https://INDEX.example:443/"):
        assert await credentials.header_for(same) == expected
    for other in (
        "http://index.example/simple",
        "https://index.example:8443/",
        "https://files.index.example/",
        "https://index.example.evil.example/",
        "https://evil.example/https://index.example/",
    ):
        assert await credentials.header_for(other) == {}


def test_credentials_cannot_be_printed() -> None:
    text = repr(Credentials(("https", "index.example", 443), "me", "hunter2"))
    assert "hunter2" not in text
    assert "'me'" not in text


async def test_what_a_client_lends_is_for_its_own_origin_and_cannot_be_printed() -> None:
    lent = Lent(("https", "index.example", 443), "Bearer hunter2")
    assert await lent.header_for("https://index.example/simple/x/") == {"Authorization": "Bearer hunter2"}
    assert await lent.header_for("https://files.example/x") == {}
    assert await lent.renewed("http://index.example/simple/x/") == {}
    assert "hunter2" not in repr(lent)


@pytest.mark.parametrize(
    ("configured", "url", "is_taken"),
    [
        ("https://index.example/simple", "https://index.example/simple/x/", True),
        ("https://index.example/simple", "https://index.example/files/x.whl", True),
        ("https://index.example/simple", "https://files.example/x.whl", False),
        ("https://me:own@index.example/simple", "https://index.example/simple/x/", False),
    ],
)
async def test_an_index_takes_what_is_sent_to_it_where_it_has_nothing(configured: str, url: str, is_taken: bool) -> None:
    index = HttpIndex("lab", configured, {})
    assert index.lend(url, "Basic x") == is_taken
    assert not index.lend(url, "Basic x"), "nothing new"
    assert index.lend(url, "Basic y") == is_taken
    await index.aclose()
