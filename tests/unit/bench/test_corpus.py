"""The wheels that benchmarks use: which are chosen, and that an interrupted download is taken up and its bytes are checked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from scripts.bench.programs import corpus
from tests.fakes.faults import Fault, Truncate
from tests.fakes.index import FakeIndex
from tests.fakes.wheels import build_wheel, incompressible, wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeIndex]:
    for name, value in (("PURE", {"pure": 2}), ("COMPILED", {"built": 1}), ("CROSS", ("wide",))):
        monkeypatch.setattr(corpus, name, value)
    monkeypatch.delenv("PIP_CERT", raising=False)
    with FakeIndex(page_format="html") as running:
        monkeypatch.setenv("PIP_INDEX_URL", running.url)
        for version in ("1.9", "1.10", "1.8", "2.0rc1"):
            running.add_wheel("pure", version, files={"pure/data.bin": incompressible(50_000, version)})
        for tag in ("cp311-cp311-manylinux_2_28_x86_64", "cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-win_amd64"):
            running.add_wheel("built", "3.0", tag=tag)
        for version, tag in (("1.0", "cp310-cp310-any"), ("1.0", "cp311-cp311-any"), ("2.0", "cp314-cp314-any")):
            running.add_wheel("wide", version, tag=tag)
        yield running


def names(held: corpus.Corpus, group: str) -> list[str]:
    return [path.name for path in held.paths(group)]


def test_the_last_final_versions_the_one_platform_and_the_widest_version_are_chosen(index: FakeIndex, tmp_path: Path) -> None:
    held = corpus.corpus(tmp_path)
    assert names(held, "pure") == [wheel_filename("pure", "1.9"), wheel_filename("pure", "1.10")]
    assert names(held, "compiled") == [wheel_filename("built", "3.0", tag="cp311-cp311-manylinux_2_17_x86_64")]
    assert names(held, "cross") == [wheel_filename("wide", "1.0", tag=f"{python}-{python}-any") for python in ("cp310", "cp311")]
    assert held.paths("pure")[1].read_bytes() == build_wheel(
        "pure", "1.10", files={"pure/data.bin": incompressible(50_000, "1.10")}
    )


def test_a_download_that_broke_off_goes_on_where_it_stopped(index: FakeIndex, tmp_path: Path) -> None:
    name = wheel_filename("pure", "1.10")
    index.faults.append(Fault(name, Truncate(after_bytes=20_000)))
    held = corpus.corpus(tmp_path)
    assert held.paths("pure")[1].stat().st_size > 50_000
    assert [request.range for request in index.requests_for(name)] == [None, "bytes=20000-"]
    index.stop()
    assert names(corpus.corpus(tmp_path), "pure") == names(held, "pure")


def test_two_that_ask_for_it_at_once_download_each_wheel_once(index: FakeIndex, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(corpus.corpus, [tmp_path, tmp_path]))
    assert both[0] == both[1]
    assert [len(index.requests_for(path.name)) for path in both[0].paths("pure")] == [1, 1]


def test_bytes_that_the_index_did_not_promise_are_not_kept(index: FakeIndex, tmp_path: Path) -> None:
    name = wheel_filename("pure", "1.10")
    index.add(name, b"something else", sha256="0" * 64)
    with pytest.raises(SystemExit, match="another sha256"):
        corpus.corpus(tmp_path)
    assert not (tmp_path / "pure" / name).exists()
