"""Variant wheels and the file about them (PEP 825, a draft) in `ls`, `show` and `add`: of their version, and said to be so."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import service
from tests.fakes.waiting import until
from tests.fakes.wheels import build_wheel
from wheelfs.core.projects.index_scopes import IndexScopes
from wheelfs.errors import InvalidInput
from wheelfs.model.names import WheelName, project_and_version, variant_of, version_of
from wheelfs.reports.files import ShownProject
from wheelfs.service.operations.add import add_paths
from wheelfs.service.operations.inspect import list_files, show
from wheelfs.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

PLAIN, VARIANT, ABOUT = "demo-1.0-py3-none-any.whl", "demo-1.0-py3-none-any-cu130.whl", "demo-1.0-variants.json"
NAMES = [PLAIN, VARIANT, ABOUT]
WHEEL, OTHER = build_wheel("demo", "1.0"), build_wheel("demo", "1.0", files={"demo/cuda.py": b""})
CONTENTS = {PLAIN: WHEEL, VARIANT: OTHER, ABOUT: b'{"variants": {}}'}


@pytest.mark.parametrize("build", ["", "-1", "-1cu"])
def test_a_variant_is_told_from_a_build_number(build: str) -> None:
    wheel = WheelName(f"demo-1.0{build}-py3-none-any-cu130.whl")
    assert (str(wheel.version), wheel.variant, bool(wheel.build)) == ("1.0", "cu130", bool(build))
    assert variant_of(f"demo-1.0{build}-py3-none-any.whl") is None
    with pytest.raises(InvalidInput, match="VARIANT"):
        WheelName(f"demo-1.0{build}-py3-none-any-CU 130.whl")


def test_all_three_are_of_one_version() -> None:
    assert [version_of(name) for name in NAMES] == ["1.0"] * 3
    assert project_and_version("variants.json") is None


async def test_an_index_with_variants_is_shown_and_what_was_read_is_listed(tmp_path: Path) -> None:
    origin = MemoryOrigin()
    for name, content in CONTENTS.items():
        origin.add("demo", name, content)
    async with service(tmp_path / "s", [origin]) as one:
        page = (await one.read("simple/demo/index.html")).decode()
        assert [name for name in NAMES if f'<a href="{name}#' in page] == NAMES
        for name, content in CONTENTS.items():
            assert await one.read(f"simple/demo/{name}") == content
        await until(lambda: len(list(list_files(one.store, words=[]))) == 3)
        assert [(file.filename, file.version) for file in list_files(one.store, words=["demo==1.0"])] == [
            (name, "1.0") for name in sorted(NAMES)
        ]
        shown = show(one.node.projects, one.node.views, one.node.downloads, "demo")
        assert isinstance(shown, ShownProject)
        assert shown.versions == ("1.0",)
        said = {file.filename: (file.version, file.state, file.hidden, " ".join(file.remarks)[:13]) for file in shown.files}
        assert said == {
            PLAIN: ("1.0", "stored", None, ""),
            VARIANT: ("1.0", "stored", None, "variant cu130"),
            ABOUT: ("1.0", "stored", None, "describes the"),
        }
        alone = show(one.node.projects, one.node.views, one.node.downloads, VARIANT)
        assert (alone.filename, alone.version) == (VARIANT, "1.0")  # type: ignore[union-attr]


@pytest.mark.parametrize("by_directory", [True, False])
def test_variants_are_added_with_the_file_about_them(tmp_path: Path, by_directory: bool) -> None:
    directory = tmp_path / "wheels"
    directory.mkdir()
    for name, content in {**CONTENTS, "colour-variants.json": b"{}", "notes.json": b"{}"}.items():
        (directory / name).write_bytes(content)
    paths = [directory] if by_directory else [directory / name for name in sorted(NAMES)]
    with Store.open(tmp_path / "store") as store:
        told = list(add_paths(store, paths, index=None, scopes=IndexScopes({}), progress=_Silent()))
        assert [(one.filename, one.result) for one in told] == [(name, "added") for name in sorted(NAMES)]
        for name, content in CONTENTS.items():
            assert store.holds(hashlib.sha256(content).digest()), name


class _Silent:
    is_shown = False

    def begin(self, name: str, total_bytes: int | None) -> None: ...
    def advance(self, name: str, more_bytes: int) -> None: ...
    def end(self, name: str) -> None: ...
    def overall(self, done_files: int, files: int, saved_bytes: int, total_bytes: int | None = None) -> None: ...
