"""``wheelfs run`` on a machine where pip's files alone say whom to trust, and which proxy leads out."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.fakes.index import FakeIndex
from tests.fakes.processes import isolated_environment, run, wheelfs_command, wheelfs_environment
from tests.fakes.proxy import FakeProxy
from tests.fakes.runs import python
from tests.fakes.wheels import wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HIDDEN = wheel_filename("hidden", "1.0")
GETS = """
import sys, urllib.error, urllib.request
for url in sys.argv[1:]:
    try:
        with urllib.request.urlopen(url) as answer:
            print(answer.status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""


def told(tmp_path: Path, pip_conf: str, *command: str) -> str:
    """Return what a command prints under a run whose index is that of pip's files."""
    (tmp_path / "pip.conf").write_text(pip_conf)
    environment = {**isolated_environment(tmp_path / "home"), **wheelfs_environment(tmp_path / "home")}
    environment["PIP_CONFIG_FILE"] = str(tmp_path / "pip.conf")
    line = wheelfs_command("--store", str(tmp_path / "store"), "run", "--", *command)
    return run(line, environment=environment, cwd=tmp_path).succeeded().stdout


def hide(index: FakeIndex) -> None:
    index.add_wheel("hidden", "1.0")
    index.set_page("hidden", b"<!DOCTYPE html><title>Links for hidden</title>")


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    with FakeIndex(tls=True) as index:
        yield index


@pytest.fixture
def cert(tmp_path: Path, index: FakeIndex) -> str:
    """Return what pip's files say of whom to trust."""
    (tmp_path / "authority.pem").write_bytes(index.ca_pem or b"")
    return f"cert = {tmp_path / 'authority.pem'}\n"


def test_pip_reaches_hosts_that_are_not_answered_as_its_cert_says(tmp_path: Path, index: FakeIndex, cert: str) -> None:
    index.add_wheel("demo", "1.0")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--target", str(tmp_path / "to"))
    with FakeIndex() as other:
        told(tmp_path, f"[global]\nindex-url = {other.url}\n{cert}", *pip, "-i", index.url, "demo")
    assert (tmp_path / "to" / "demo").is_dir()


def test_what_is_passed_on_or_downloaded_goes_to_whom_its_cert_trusts(tmp_path: Path, index: FakeIndex, cert: str) -> None:
    hide(index)
    urls = [index.file_url(HIDDEN), f"{index.origin}/account/login"]
    said = told(tmp_path, f"[global]\nindex-url = {index.url}\n{cert}", *python(GETS), *urls)
    assert said.split() == ["200", "404"], "and not that the index cannot be asked"
    assert index.requests_for("/account/login")


def test_what_is_passed_on_goes_out_by_its_proxy(tmp_path: Path) -> None:
    with FakeProxy() as proxy:
        hide(proxy)
        conf = f"[global]\nindex-url = http://index.example/simple\nproxy = {proxy.origin}\n"
        urls = [f"http://index.example/files/{HIDDEN}", "http://index.example/account/login", "http://other.example/simple/"]
        assert told(tmp_path, conf, *python(GETS), *urls).split() == ["200", "404", "200"]
        assert set(urls) <= set(proxy.asked_for)
