"""What indexes do in the course of time, beyond the habits of tests/world: files are replaced, or come wrong once."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.fakes import faults
from tests.fakes.faults import Fault
from tests.fakes.index import FakeIndex
from tests.fakes.waiting import eventually
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import MountWheelfs
    from tests.fakes.clients import Clients

NAME = wheel_filename("demo", "2.0")
OLDER_NAME = wheel_filename("demo", "1.0")
FIRST = build_wheel("demo", "2.0", big_bytes=600_000, big_seed="first")
SECOND = build_wheel("demo", "2.0", big_bytes=600_000, big_seed="second")
OLDER = build_wheel("demo", "1.0", big_bytes=600_000, big_seed="older")
TOOLS = pytest.mark.parametrize("tool", ["pip", "uv"])
NOTHING = "nothing"
MEANING = {hashlib.sha256(incompressible(600_000, seed)).digest(): seed for seed in ("first", "second", "older")}


class Installed(NamedTuple):
    """Which build is installed afterwards, and what the installer said."""

    build: str
    said: str


@pytest.fixture
def install(clients: Clients) -> Callable[[str, str], Installed]:
    """Install ``demo`` on a new machine."""

    def run(tool: str, url: str) -> Installed:
        client = clients.pip() if tool == "pip" else clients.uv()
        line = ["install", "--index-url", url] if tool == "pip" else ["pip", "install", "--default-index", url]
        done = client.run(*line, "demo")
        found = next(iter(client.venv().rglob("site-packages/demo/big.bin")), None)
        build = NOTHING if found is None else MEANING[hashlib.sha256(found.read_bytes()).digest()]
        assert (done.returncode == 0) is (build != NOTHING), done
        return Installed(build, done.stdout + done.stderr)

    return run


def page(index: FakeIndex, fragment: str = "", older: str | None = None) -> None:
    """Let the page list the newest build with what is said of it, and an older version."""
    links = f'<a href="/files/{NAME}{fragment}">{NAME}</a>'
    links += "" if older is None else f'<a href="/files/{OLDER_NAME}{older}">{OLDER_NAME}</a>'
    index.set_page("demo", f"<html><body>{links}</body></html>".encode())


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    """An index whose pages tell nothing of their files but their addresses."""
    with FakeIndex(max_age_s=0) as one:
        one.add(NAME, FIRST)
        one.add(OLDER_NAME, OLDER)
        page(one)
        yield one


def vouched(content: bytes, algorithm: str) -> str:
    return f"#{algorithm}={hashlib.new(algorithm, content).hexdigest()}"


@TOOLS
@pytest.mark.parametrize("etags", [True, False])
def test_a_build_that_is_replaced_under_its_name_is_the_one_that_installs(
    index: FakeIndex, mounted: MountWheelfs, install: Callable[[str, str], Installed], tool: str, etags: bool
) -> None:
    index.etags = etags
    mount = mounted(index=index.url, env={"WHEELFS_PAGE_TTL_S": "0"})
    url = f"file://{mount.path}/simple"
    assert install(tool, url).build == "first"
    eventually(lambda: NAME in {path.name for path in mount.path.iterdir()})
    second = SECOND if etags else build_wheel("demo", "2.0", big_bytes=600_000, big_seed="second", files={"x": b"longer"})
    listed = mount.path / "simple" / "demo" / "index.html"
    assert (listed.parent / NAME).read_bytes() == FIRST
    index.add(NAME, second)
    page(index)
    eventually(lambda: "replaced" in listed.read_text())
    # At once, though the kernel may still remember what the name meant before.
    assert (listed.parent / NAME).read_bytes() == second
    assert install(tool, url).build == "second"
    assert "no longer shown" in mount.log
    index.stop()
    assert install(tool, f"file://{mount.path}/stored/simple").build == "second"


def test_a_gateway_passes_on_when_it_may_be_asked_again(index: FakeIndex, tmp_path: Path) -> None:
    index.faults.append(Fault(NAME, faults.Status(429, {"Retry-After": "3600"}), times=None))
    with Serving(tmp_path / "gateway", "--index", f"main={index.url}") as gateway:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{gateway.url}/simple/demo/{NAME}", timeout=20)
        with refused.value as answer:
            assert (answer.code, answer.headers["Retry-After"]) == (503, "3600")


@TOOLS
def test_an_end_that_comes_wrong_once_brings_no_older_version(
    index: FakeIndex, mounted: MountWheelfs, install: Callable[[str, str], Installed], tool: str
) -> None:
    page(index, vouched(FIRST, "sha256"), vouched(OLDER, "sha256"))
    index.faults.append(Fault(NAME, faults.WrongBytes(at=len(FIRST) - 22), times=1))
    mount = mounted(index=index.url)
    assert install(tool, f"file://{mount.path}/simple").build == "first"
