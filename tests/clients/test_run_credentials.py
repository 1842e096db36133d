"""``wheelfs run`` and an index whose credentials only the command has: used for that index, by this run, and written nowhere."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.fakes.index import FakeIndex
from tests.fakes.runs import UV, Runs, project, python
from tests.fakes.wheels import wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = "s3cret-w0rd"
PIP = (sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir")
GET = """
import sys, urllib.error, urllib.request
request = urllib.request.Request(sys.argv[1], headers={"Authorization": sys.argv[2]} if len(sys.argv) > 2 else {})
try:
    with urllib.request.urlopen(request) as answer:
        print(answer.status)
except urllib.error.HTTPError as error:
    print(error.code, error.headers.get("WWW-Authenticate"))
"""


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex(tls=True, credentials=("someone", SECRET)) as index:
        index.add_wheel("demo", "1.0", requires=["lib"])
        index.add_wheel("lib", "1.0")
        yield index


@pytest.fixture
def runs(tmp_path: Path, index: FakeIndex) -> Runs:
    return Runs(tmp_path / "runs", index)


def with_login(url: str, password: str = SECRET) -> str:
    return url.replace("https://", f"https://someone:{password}@")


def holding_the_secret(directory: Path) -> list[Path]:
    encoded = base64.b64encode(f"someone:{SECRET}".encode())
    files = [path for path in directory.rglob("*") if path.is_file()]
    return [path for path in files if SECRET.encode() in (content := path.read_bytes()) or encoded in content]


def test_pip_and_uv_install_with_what_they_have_and_offline_with_nothing(runs: Runs, index: FakeIndex, tmp_path: Path) -> None:
    runs.wheelfs(*PIP, "-i", with_login(index.url), "--target", str(tmp_path / "pip"), "demo").succeeded()
    app = project(tmp_path / "app", "demo", index=index)
    login = {"UV_INDEX_MAIN_USERNAME": "someone", "UV_INDEX_MAIN_PASSWORD": SECRET}
    runs.wheelfs(UV, "--quiet", "lock", cwd=app, environment=login).succeeded()
    lock = (app / "uv.lock").read_bytes()
    (app / "uv.lock").unlink()
    runs.straight(UV, "--quiet", "lock", cwd=app, environment=login).succeeded()
    assert (app / "uv.lock").read_bytes() == lock
    runs.wheelfs(UV, "--quiet", "sync", "--frozen", "--no-install-project", cwd=app, environment=login).succeeded()
    index.stop()
    runs.wheelfs(*PIP, "-i", index.url, "--target", str(tmp_path / "offline"), "demo").succeeded()
    assert {file["origin"] for file in runs.listed()} == {"main"}
    assert holding_the_secret(runs.store) == []


def test_a_frozen_lock_is_fetched_with_them_though_no_page_was_read(runs: Runs, index: FakeIndex, tmp_path: Path) -> None:
    app = project(tmp_path / "app", "demo", index=index)
    login = {"UV_INDEX_MAIN_USERNAME": "someone", "UV_INDEX_MAIN_PASSWORD": SECRET}
    runs.straight(UV, "--quiet", "lock", cwd=app, environment=login).succeeded()
    runs.wheelfs(UV, "--quiet", "sync", "--frozen", "--no-install-project", cwd=app, environment=login).succeeded()
    assert len(runs.listed()) == 2


def test_without_them_and_with_wrong_ones_the_index_speaks_for_itself(runs: Runs, index: FakeIndex) -> None:
    page = f"{index.url}/demo/"
    assert runs.wheelfs(*python(GET), page).succeeded().stdout.startswith("401 Basic ")
    wrong = "Basic " + base64.b64encode(b"someone:else").decode()
    assert runs.wheelfs(*python(GET), page, wrong).succeeded().stdout.startswith("401 Basic ")
    right = "Basic " + base64.b64encode(f"someone:{SECRET}".encode()).decode()
    for url in (page, index.file_url(wheel_filename("lib", "1.0"))):
        assert runs.wheelfs(*python(GET), url, right).succeeded().stdout == "200\n"


def test_they_go_to_no_other_host_and_not_before_those_of_wheelfs(tmp_path: Path) -> None:
    with FakeIndex(tls=True) as index, FakeIndex(tls=True) as elsewhere:
        filename, content = elsewhere.add_wheel("demo", "1.0")
        files = [{"filename": filename, "url": elsewhere.file_url(filename), "hashes": {"sha256": sha256(content)}}]
        page = {"meta": {"api-version": "1.0"}, "name": "demo", "files": files}
        index.set_page("demo", json.dumps(page).encode(), "application/vnd.pypi.simple.v1+json")
        runs = Runs(tmp_path / "runs", index)
        authority = tmp_path / "both.pem"
        authority.write_bytes((index.ca_pem or b"") + (elsewhere.ca_pem or b""))
        environment = {"SSL_CERT_FILE": str(authority)}
        pip = (*PIP, "-i", with_login(index.url), "--target")
        runs.wheelfs(*pip, str(tmp_path / "one"), "demo", environment=environment).succeeded()
        assert [request.headers for request in elsewhere.requests if "authorization" in map(str.lower, request.headers)] == []
        assert [request.headers for request in index.requests if "authorization" in map(str.lower, request.headers)]

        index.credentials = ("someone", SECRET)
        index.add_wheel("lib", "1.0")
        own = {"WHEELFS_INDEX_MAIN_USERNAME": "someone", "WHEELFS_INDEX_MAIN_PASSWORD": SECRET}
        pip = (*PIP, "-i", with_login(index.url, "wrong"), "--target")
        runs.wheelfs(*pip, str(tmp_path / "two"), "lib", environment=environment | own).succeeded()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
