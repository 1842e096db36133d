"""Indexes with habits: what pip and uv do straight, they do through a mount and through a gateway."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tests.fakes.index import FakeIndex
from tests.fakes.server import Answer
from tests.fakes.wheels import build_sdist, build_wheel
from tests.gateway.serving import Serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MountWheelfs
    from tests.fakes import faults
    from tests.fakes.clients import Clients
    from tests.fakes.server import Request


class Habit(FakeIndex):
    """An index of ``demo`` in two versions."""

    kind: ClassVar[dict[str, Any]] = {"page_format": "html"}

    def __init__(self) -> None:
        super().__init__(**self.kind)
        for version in ("1.0", "2.0"):
            self.add_wheel("demo", version, big_bytes=300_000)

    def changed(self, page: str) -> str:
        return page

    def answer(self, request: Request, action: faults.Action | None) -> Answer:
        answer = super().answer(request, action)
        if answer.status == 200 and request.path.endswith("/demo/"):
            answer.body = self.changed(answer.body.decode()).encode()
            answer.headers.pop("ETag", None)
        return answer


class Members(Habit):
    """Compresses its pages block by block."""

    def answer(self, request: Request, action: faults.Action | None) -> Answer:
        answer = super().answer(request, action)
        if answer.status == 200 and request.path.endswith("/demo/"):
            half = len(answer.body) // 2
            answer.body = gzip.compress(answer.body[:half]) + gzip.compress(answer.body[half:])
            answer.headers["Content-Encoding"] = "gzip"
        return answer


class Texts(Habit):
    """Writes texts that are no file names."""

    def changed(self, page: str) -> str:
        return page.replace(">demo-", ">demo-9%2E").replace("none-any.whl</a>", "none-any.whl </a>")


class Status203(Habit):
    """A transforming proxy."""

    def answer(self, request: Request, action: faults.Action | None) -> Answer:
        answer = super().answer(request, action)
        if answer.status == 200 and request.path.endswith("/demo/"):
            answer.status = 203
        return answer


class WrongSizes(Habit):
    """States sizes that are wrong beside right hashes."""

    kind: ClassVar[dict[str, Any]] = {"page_format": "json"}
    size = 0

    def changed(self, page: str) -> str:
        told = json.loads(page)
        for file in told["files"]:
            file["size"] = self.size
        return json.dumps(told)


class SmallSizes(WrongSizes):
    size = 1_000


class LargeSizes(WrongSizes):
    size = 9_000_000


class OddFields(Habit):
    """Fills optional fields with nonsense."""

    kind: ClassVar[dict[str, Any]] = {"page_format": "json"}

    def changed(self, page: str) -> str:
        told = json.loads(page)
        for file in told["files"]:
            file.update({"core-metadata": False, "dist-info-metadata": False, "yanked": False})
            file["provenance"] = None
        return json.dumps(told)


class JunkBehind(FakeIndex):
    """Serves wheels with a byte after their end record, and offers no METADATA."""

    def __init__(self) -> None:
        super().__init__(core_metadata=False)
        for version in ("1.0", "2.0"):
            self.add(f"demo-{version}-py3-none-any.whl", build_wheel("demo", version) + b"\n")


class Variants(Habit):
    """Has variant wheels and the file about them."""

    def __init__(self) -> None:
        super().__init__()
        self.add("demo-2.0-py3-none-any-cu130.whl", build_wheel("demo", "2.0"))
        self.add("demo-2.0-variants.json", b'{"variants": {}}')


class Labelled(FakeIndex):
    """Names a coding for sdists because of their ending."""

    def __init__(self) -> None:
        super().__init__(hashes=False, ranges="ignore", core_metadata=False)
        self.add("demo-2.0.tar.gz", build_sdist("demo", "2.0"))

    def answer(self, request: Request, action: faults.Action | None) -> Answer:
        answer = super().answer(request, action)
        if request.path.partition("?")[0].endswith(".gz"):
            answer.headers["Content-Encoding"] = "gzip"
        return answer


# uv 0.13.8 straight decodes the first gzip member only, and takes no sdist without its build tools from an index without hashes.
BOTH = [Texts, Status203, WrongSizes, SmallSizes, LargeSizes, OddFields, Variants]


@pytest.mark.parametrize("habit", [*BOTH, Members, JunkBehind, Labelled])
def test_a_mount_installs_what_pip_and_uv_install_straight(
    mounted: MountWheelfs, clients: Clients, habit: type[FakeIndex]
) -> None:
    with habit() as index:
        mount = mounted(index=index.url)
        for url in (index.url, f"file://{mount.path}/index/main/simple", f"file://{mount.path}/simple"):
            pip = clients.pip()
            pip.run("install", "--no-deps", "--no-build-isolation", "--index-url", url, "demo").succeeded()
            assert pip.installed()["demo"] == "2.0", url
            if habit in BOTH:
                uv = clients.uv()
                uv.run("pip", "install", "--no-deps", "--default-index", url, "demo").succeeded()
                assert uv.installed()["demo"] == "2.0", url


@pytest.mark.parametrize("habit", [*BOTH, Members])
def test_a_gateway_installs_what_pip_and_uv_install_straight(tmp_path: Path, clients: Clients, habit: type[FakeIndex]) -> None:
    with habit() as index, Serving(tmp_path / "gateway", "--index", f"main={index.url}") as gateway:
        pip, uv = clients.pip(), clients.uv()
        pip.run("install", "--no-deps", "--index-url", f"{gateway.url}/simple/", "demo").succeeded()
        uv.run("pip", "install", "--no-deps", "--default-index", f"{gateway.url}/simple/", "demo").succeeded()
        assert (pip.installed()["demo"], uv.installed()["demo"]) == ("2.0", "2.0")


class Bucket(FakeIndex):
    """Answers 403 for every name that it does not have."""

    def answer(self, request: Request, action: faults.Action | None) -> Answer:
        answer = super().answer(request, action)
        return Answer(403, b"<Error>AccessDenied</Error>") if answer.status == 404 else answer


def test_a_first_index_that_answers_403_for_names_it_does_not_have(
    mounted: MountWheelfs, clients: Clients, tmp_path: Path
) -> None:
    with Bucket() as first, FakeIndex() as second:
        first.add_wheel("torch", "2.0", requires=["demo"])
        second.add_wheel("demo", "1.0")
        tables = [{"name": "pytorch", "url": first.url, "absent": [403]}, {"name": "main", "url": second.url}]
        mount = mounted(env={"WHEELFS_INDEX": json.dumps(tables)})
        for tool, line in (
            (clients.pip(), ["install", "--index-url"]),
            (clients.uv(), ["pip", "install", "--default-index"]),
        ):
            tool.run(*line, f"file://{mount.path}/simple", "torch").succeeded()
            assert tool.installed() == {"torch": "2.0", "demo": "1.0"}
