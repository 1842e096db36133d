"""A gateway with a token, as installers give it; and no credential, of the gateway or of an index, in anything that is told."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.fakes.index import FakeIndex
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.clients import Clients

TOKEN = "s3cret-word"
WRONG = "another-w0rd"


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A gateway that wants a token and writes down all that it can."""
    where = tmp_path_factory.mktemp("private")
    (where / "token").write_text(f"{TOKEN}\n")
    with FakeIndex() as index:
        index.add_wheel("app", "1.0", requires=["library"])
        index.add_wheel("library", "1.0")
        options = ["--index", f"main={index.url}", "--token-file", str(where / "token"), "-vv"]
        with Serving(where / "gateway", *options) as gateway:
            yield gateway
        log = gateway.log.read_text()
        for secret in (TOKEN, WRONG):
            assert secret not in log
            for user in ("__token__", "anybody"):
                assert base64.b64encode(f"{user}:{secret}".encode()).decode() not in log


@pytest.mark.parametrize("tool", ["pip", "uv"])
@pytest.mark.parametrize("where", ["url", "netrc"])
def test_installers_give_the_token_in_the_url_or_from_netrc(private: Serving, clients: Clients, tool: str, where: str) -> None:
    for secret, installed in ((WRONG, {}), (TOKEN, {"app": "1.0", "library": "1.0"})):
        client = clients.pip() if tool == "pip" else clients.uv()
        host = urlsplit(private.url).netloc
        url = f"http://{host}/simple/"
        if where == "url":
            url = f"http://__token__:{secret}@{host}/simple/"
        else:
            netrc = client.directory / "home" / ".netrc"
            netrc.write_text(f"machine 127.0.0.1 login anybody password {secret}\n")
            netrc.chmod(0o600)
        line = ["install", "--index-url", url, "app"] if tool == "pip" else ["pip", "install", "--default-index", url, "app"]
        done = client.run(*line)
        assert (done.returncode == 0) == bool(installed), done.stderr
        assert client.installed() == installed


def test_programs_give_it_as_bearer_or_basic_and_the_refusal_repeats_nothing(private: Serving) -> None:
    with httpx2.Client(base_url=private.url, trust_env=False) as client:
        for path in ("/", "/simple/", "/simple/app/", "/project/app/", "/metrics", "/-/share/v1/news", "/nothing"):
            for headers in ({}, {"Authorization": f"Bearer {WRONG}"}, {"Authorization": "Basic nonsense"}):
                refused = client.get(path, headers=headers)
                assert (refused.status_code, refused.headers["www-authenticate"].split()[0]) == (401, "Basic"), path
                assert WRONG not in f"{refused.text}{refused.headers}"
            told = client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
            assert told.status_code == client.get(path, auth=("anybody", TOKEN)).status_code != 401
            assert TOKEN not in f"{told.text}{told.headers}"
        assert client.get("/healthz").status_code == 200


def test_no_answer_and_no_log_has_the_credentials_of_an_index(tmp_path: Path) -> None:
    secrets = ("pa55word-of-ours", "wr0ng-one")
    with FakeIndex(credentials=("me", secrets[0])) as index, FakeIndex(credentials=("me", "unknown")) as other:
        index.add_wheel("app", "1.0")
        with_secret = [one.url.replace("//", f"//me:{secret}@") for one, secret in zip((index, other), secrets, strict=True)]
        options = [
            word for name, url in zip(("main", "closed"), with_secret, strict=True) for word in ("--index", f"{name}={url}")
        ]
        with (
            Serving(tmp_path / "gateway", *options, "-vv") as gateway,
            httpx2.Client(base_url=gateway.url, trust_env=False) as client,
        ):
            told = []
            for path in (
                "/simple/app/",
                "/index/closed/simple/app/",
                "/simple/absent/",
                "/",
                "/metrics",
            ):
                for accept in ("text/html", "application/vnd.pypi.simple.v1+json"):
                    told.append(client.get(path, headers={"Accept": accept}))
            told.append(client.post("/project/absent/?ask=indexes"))
            assert {reply.status_code for reply in told} >= {200, 502}
            told.append(client.get("/.wheelfs/status.json"))
            index.close()
            told.append(client.get("/simple/later/"))
        for text in (*(f"{reply.text}{reply.headers}" for reply in told), gateway.log.read_text()):
            assert not [secret for secret in secrets if secret in text]
