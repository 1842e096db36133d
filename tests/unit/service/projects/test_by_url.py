"""What a URL means, however the index's own is spelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.origins import MemoryOrigin
from tests.fakes.services import service
from tests.fakes.wheels import build_wheel, wheel_filename
from wheelfs.model.names import ProjectName
from wheelfs.service.projects.by_url import Elsewhere, FileAt, ListOfProjects, PageOf, ReleaseOf, Urls

if TYPE_CHECKING:
    from pathlib import Path

DEMO = wheel_filename("demo", "1.0")


@pytest.mark.parametrize(
    ("configured", "asked"),
    [
        ("https://Index.Example/simple", "https://index.example/simple"),
        ("https://index.example:443/simple", "https://index.example/simple"),
        ("HTTP://index.example:80/simple", "http://index.example/simple"),
        ("https://bücher.example/simple", "https://xn--bcher-kva.example/simple"),
        ("http://index.example:8080/simple", "http://INDEX.example:8080/simple"),
    ],
)
async def test_an_index_is_known_however_its_host_and_port_are_spelled(tmp_path: Path, configured: str, asked: str) -> None:
    origin = MemoryOrigin(url=configured)
    origin.add("demo", DEMO, build_wheel("demo", "1.0"))
    async with service(tmp_path, [origin]) as one:
        meaning = Urls(one.node.projects, one.store.catalog).meaning
        demo = ProjectName("demo")
        assert await meaning(f"{asked}/") == ListOfProjects(origin.name)
        assert await meaning(f"{asked}/demo/?format=json") == PageOf(origin.name, demo, is_canonical=True)
        assert isinstance(await meaning(f"{asked.removesuffix('/simple')}/pypi/demo/1.0/json"), ReleaseOf)
        for other in ("https://other.example/simple/demo/", f"{asked}er/demo/", asked.replace("simple", "Simple/demo/")):
            assert await meaning(other) == Elsewhere()


async def test_metadata_is_asked_for_by_the_path_or_by_the_query(tmp_path: Path) -> None:
    origin = MemoryOrigin()
    url = origin.add("demo", DEMO, build_wheel("demo", "1.0")).url
    async with service(tmp_path, [origin]) as one:
        meaning = Urls(one.node.projects, one.store.catalog).meaning
        place = ("index", origin.name, "simple", ProjectName("demo"))
        for asked in (url, f"{url}?sig=x", f"{url}?sig=x.metadata&more=y"):
            assert await meaning(asked) == FileAt((*place, DEMO))
        for asked in (f"{url}.metadata", f"{url}.metadata?sig=x", f"{url}?sig=x.metadata", f"{url}.metadata?sig=x.metadata"):
            assert await meaning(asked) == FileAt((*place, f"{DEMO}.metadata"))
