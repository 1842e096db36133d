"""What an index says of a file and wheelfs only passes on: on the mount's page, and by `wheelfs show`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import service
from tests.fakes.wheels import build_wheel
from wheelfs.core.simple.api import parse_page
from wheelfs.model.names import ProjectName
from wheelfs.service.operations.inspect import show

if TYPE_CHECKING:
    from pathlib import Path

NAME = "demo-1.0-py3-none-any.whl"
PAGE = "https://corp.index.example/simple/demo/"


async def test_the_provenance_of_a_file_is_shown_and_on_the_mounts_page_with_its_whole_address(tmp_path: Path) -> None:
    origin = MemoryOrigin()
    told = origin.add("demo", NAME, build_wheel("demo", "1.0"))
    assert told.sha256 is not None
    file = {"filename": NAME, "url": told.url, "hashes": {"sha256": told.sha256.hex()}, "provenance": "../../integrity/demo"}
    body = json.dumps({"meta": {"api-version": "1.3"}, "name": "demo", "files": [file]}).encode()
    origin.pages["demo"] = parse_page(body, "application/vnd.pypi.simple.v1+json", PAGE, ProjectName("demo"))
    address = "https://corp.index.example/integrity/demo"
    async with service(tmp_path / "s", [origin]) as one:
        assert f' data-provenance="{address}"' in (await one.read("simple/demo/index.html")).decode()
        shown = msgspec.to_builtins(show(one.node.projects, one.node.views, one.node.downloads, NAME))
        assert shown["passed_on"] == {"provenance": address}
