"""``/proxy/HOST/PATH`` on a gateway: what is at the URLs of its indexes and of their files, and nothing else."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin

import httpx2
import pytest

from tests.fakes.index import FakeIndex
from tests.fakes.processes import run
from tests.fakes.runs import UV, Runs, project
from tests.fakes.wheels import build_wheel, wheel_filename
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.fakes.clients import Clients

JSON = "application/vnd.pypi.simple.v1+json"
DEMO, LIB = wheel_filename("demo", "1.0"), wheel_filename("lib", "1.0")


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    """An index whose files are on a host of their own."""
    with FakeIndex() as index:
        for name, requires in (("demo", ["lib"]), ("lib", [])):
            filename, content = index.add_wheel(name, "1.0", requires=requires)
            url = index.file_url(filename).replace("127.0.0.1", "localhost")
            files = [{"filename": filename, "url": url, "hashes": {"sha256": hashlib.sha256(content).hexdigest()}}]
            page = {"meta": {"api-version": "1.0"}, "name": name, "files": files}
            index.set_page(name, json.dumps(page).encode(), JSON)
        yield index


def serving(tmp_path: Path, index: FakeIndex, *options: str) -> Serving:
    return Serving(tmp_path / "gateway", "--index", f"main={index.url}", *options)


def proxied(gateway: Serving, url: str) -> str:
    return f"{gateway.url}/proxy/{url.partition('://')[2]}"


def file_url(index: FakeIndex, filename: str) -> str:
    return index.file_url(filename).replace("127.0.0.1", "localhost")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_pip_and_uv_install_from_an_index_below_it_also_when_that_is_gone(
    tmp_path: Path, index: FakeIndex, clients: Clients, workers: str
) -> None:
    with serving(tmp_path, index, "--workers", workers) as gateway:
        url = proxied(gateway, index.url)
        for _ in ("up", "down"):
            uv, pip = clients.uv(), clients.pip()
            uv.run("pip", "install", "--default-index", url, "demo").succeeded()
            pip.run("install", "--index-url", url, "demo").succeeded()
            assert uv.installed() == pip.installed() == {"demo": "1.0", "lib": "1.0"}
            index.stop()


def test_pages_link_below_it_so_that_each_link_can_be_turned_back(tmp_path: Path, index: FakeIndex) -> None:
    with serving(tmp_path, index) as gateway, httpx2.Client(trust_env=False) as client:
        page_url = proxied(gateway, f"{index.url}/demo/")
        page = client.get(page_url, headers={"Accept": JSON})
        [file] = page.json()["files"]
        assert urljoin(page_url, file["url"]) == proxied(gateway, file_url(index, DEMO))
        assert f"/proxy/{index.origin.partition('://')[2]}/simple/demo/" in page_url
        named = client.get(proxied(gateway, f"{index.url}/Demo/"))
        assert (named.status_code, urljoin(str(named.url), named.headers["location"])) == (301, page_url)
        assert client.get(proxied(gateway, f"{index.url}/no-such-project/")).status_code == 404
        listed = client.get(proxied(gateway, f"{index.url}/"), headers={"Accept": JSON}).json()["projects"]
        assert {"name": "demo"} in listed


def test_what_has_its_digest_in_its_address_may_be_kept_for_ever_and_else_is_asked_for_again(
    tmp_path: Path, index: FakeIndex
) -> None:
    digest = "0123456789abcdef" * 4
    addresses = (f"{digest[:2]}/{digest[2:4]}/{digest[4:]}/", f"{digest}/", f"{digest[:40]}/", "")
    with serving(tmp_path, index) as gateway, httpx2.Client(trust_env=False) as client:
        files = []
        for number, address in enumerate(addresses):
            name = wheel_filename("named", f"1.{number}")
            content = build_wheel("named", f"1.{number}")
            index.add(address + name, content, project="named")
            hashes = {"sha256": hashlib.sha256(content).hexdigest()}
            files.append({"filename": name, "url": index.file_url(address + name), "hashes": hashes})
        page = {"meta": {"api-version": "1.0"}, "name": "named", "files": files}
        index.set_page("named", json.dumps(page).encode(), JSON)
        told = [client.get(proxied(gateway, str(file["url"]))).raise_for_status().headers for file in files]
        assert ["immutable" in headers["cache-control"] for headers in told] == [True, True, False, False]
        assert all("etag" in headers for headers in told)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_a_file_is_found_by_its_url_alone_and_kept_as_its_indexs(tmp_path: Path, index: FakeIndex) -> None:
    with serving(tmp_path, index) as gateway:
        curl = ["curl", "--silent", "--fail", "--show-error", "--noproxy", "*", proxied(gateway, file_url(index, LIB))]
        out = tmp_path / "lib.whl"
        run([*curl, "--output", str(out)], environment=Runs(tmp_path / "runs", index).environment()).succeeded()
        content = build_wheel("lib", "1.0", requires=[])
        assert out.read_bytes() == content
        index.stop()
        run([*curl, "--output", str(out)], environment=Runs(tmp_path / "runs", index).environment()).succeeded()
        assert out.read_bytes() == content


def test_a_canonical_lock_syncs_frozen_once_its_urls_are_put_below(tmp_path: Path, index: FakeIndex) -> None:
    """As a client does that knows of the layout: the lock itself stays as it is."""
    runs = Runs(tmp_path / "runs", index)
    app = project(tmp_path / "app", "demo", index=index)
    runs.straight(UV, "--quiet", "lock", cwd=app).succeeded()
    lock = (app / "uv.lock").read_text()
    with serving(tmp_path, index) as gateway:
        for _ in ("up", "down"):
            (app / "uv.lock").write_text(lock.replace("http://", f"{gateway.url}/proxy/"))
            runs.straight(UV, "--quiet", "sync", "--frozen", "--no-install-project", cwd=app).succeeded()
            assert len(list(app.glob(".venv/lib/python*/site-packages/*.dist-info"))) == 2
            (app / ".venv").rename(tmp_path / f"gone-{_}")
            index.stop()
            index.reset_counters()
    assert index.requests == []


class Route(NamedTuple):
    """A pair of ``artifact-base-url``, as uv's pull request 20790 has them (open in November 2026): addresses below one stand for
    those below the other, and a lock has the index's own."""

    canonical: str
    physical: str

    def to_canonical(self, url: str) -> str:
        assert url.startswith(self.physical), "what a page links to elsewhere could not be written into a lock"
        return self.canonical + url.removeprefix(self.physical)

    def to_physical(self, url: str) -> str:
        return self.physical + url.removeprefix(self.canonical)


def test_a_client_of_proxy_for_locks_the_indexs_urls_and_installs_from_them(tmp_path: Path, index: FakeIndex) -> None:
    base = file_url(index, DEMO).removesuffix(DEMO)
    accept = {"Accept": JSON}
    with serving(tmp_path, index) as gateway, httpx2.Client(trust_env=False, follow_redirects=True) as client:
        route = Route(base, proxied(gateway, base))

        def locked(project: str) -> dict[str, str]:
            page = client.get(f"{proxied(gateway, index.url)}/{project}/", headers=accept)
            files = page.raise_for_status().json()["files"]
            return {route.to_canonical(urljoin(str(page.url), file["url"])): file["hashes"]["sha256"] for file in files}

        lock = locked("demo") | locked("lib")
        own = [file for name in ("demo", "lib") for file in client.get(f"{index.url}/{name}/", headers=accept).json()["files"]]
        assert lock == {file["url"]: file["hashes"]["sha256"] for file in own}
        for _ in ("up", "down"):
            for url, sha256 in lock.items():
                content = client.get(route.to_physical(url)).raise_for_status().content
                assert hashlib.sha256(content).hexdigest() == sha256
            index.stop()
        assert locked("demo") | locked("lib") == lock


@pytest.mark.parametrize("workers", ["1", "2"])
def test_addresses_of_files_may_have_queries_and_be_deep_and_odd(tmp_path: Path, clients: Clients, workers: str) -> None:
    fields = "&".join(f"X-Amz-{number}=a%2Fb" for number in range(12))
    deep = "packages/" * 12
    with FakeIndex() as index, serving(tmp_path, index, "--workers", workers) as gateway:
        files = []
        for version, where in (("1.0", deep), ("2.0", f"{deep}/odd//")):
            name, content = wheel_filename("demo", version), build_wheel("demo", version)
            index.add(where + name, content, project="demo")
            hashes = {"sha256": hashlib.sha256(content).hexdigest()}
            files.append({"filename": name, "url": f"{index.file_url(where + name)}?{fields}", "hashes": hashes})
        page = {"meta": {"api-version": "1.0"}, "name": "demo", "files": files}
        index.set_page("demo", json.dumps(page).encode(), JSON)
        uv, pip = clients.uv(), clients.pip()
        pip.run("install", "--index-url", proxied(gateway, index.url), "demo==1.0").succeeded()
        uv.run("pip", "install", "--default-index", proxied(gateway, index.url), "demo").succeeded()
        assert (pip.installed(), uv.installed()) == ({"demo": "1.0"}, {"demo": "2.0"})


def test_it_is_no_open_proxy(tmp_path: Path, index: FakeIndex) -> None:
    with FakeIndex() as elsewhere, serving(tmp_path, index) as gateway, httpx2.Client(trust_env=False) as client:
        elsewhere.add_wheel("demo", "1.0")
        index.add_wheel("hidden", "1.0")
        index.set_page("hidden", b"<!DOCTYPE html><title>Links for hidden</title>")
        hidden = file_url(index, wheel_filename("hidden", "1.0"))
        refused = [
            *(elsewhere.url + "/demo/", elsewhere.url + "/", elsewhere.file_url(DEMO), elsewhere.origin + "/"),
            *(index.origin + "/account/login", index.origin + "/", hidden, f"{index.url}/demo/more/"),
            *("http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:1/simple/demo/", "http://[::1]/x"),
        ]
        for url in refused:
            assert client.get(proxied(gateway, url)).status_code == 404, url
            assert client.post(proxied(gateway, url)).status_code == 405
        for path in ("/proxy/", "/proxy", "/proxy/%2e%2e/simple/demo/", "/proxy//simple/", "/proxy/http://127.0.0.1/"):
            assert client.get(gateway.url + path).status_code == 404, path
        assert elsewhere.requests == []
        assert [request.path for request in index.requests if "login" in request.path or "hidden-1.0" in request.path] == []


def test_what_a_run_has_downloaded_from_another_place_is_not_shown(tmp_path: Path, index: FakeIndex) -> None:
    with FakeIndex() as elsewhere:
        elsewhere.add_wheel("secret", "1.0")
        url = elsewhere.file_url(wheel_filename("secret", "1.0"))
        runs = Runs(tmp_path / "gateway", index)
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--no-deps", "--target", str(tmp_path / "to"))
        runs.wheelfs(*pip, url, options=("--index", f"more={elsewhere.url}")).succeeded()
        assert [file["origin"] for file in runs.listed()] == ["more"]
        with serving(tmp_path, index) as gateway, httpx2.Client(trust_env=False) as client:
            assert client.get(proxied(gateway, url)).status_code == 404


def test_it_wants_the_token_too(tmp_path: Path, index: FakeIndex) -> None:
    (tmp_path / "token").write_text("s3cret-word")
    with serving(tmp_path, index, "--token-file", str(tmp_path / "token")) as gateway, httpx2.Client(trust_env=False) as client:
        assert client.get(proxied(gateway, f"{index.url}/demo/")).status_code == 401
        assert client.get(proxied(gateway, f"{index.url}/demo/"), auth=("any", "s3cret-word")).status_code == 200
