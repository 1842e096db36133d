"""Statuses that mean "no such project": 404 and 410 everywhere, others only where the index's table says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.faults import Fault, Status
from tests.fakes.index import FakeIndex
from tests.unit.remote.index.asking import DEMO
from wheelfs.config.indexes import IndexesKind, SharesKind
from wheelfs.errors import OriginDenied, OriginError
from wheelfs.remote.http.tls import Access
from wheelfs.remote.index.http import HttpIndex
from wheelfs.remote.origin import PageAbsent, PageFound

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("status", [400, 401, 403, 405])
async def test_a_status_means_no_such_project_only_where_the_index_says_so(status: int) -> None:
    with FakeIndex() as index:
        index.faults.append(Fault("demo", Status(status), times=None))
        plain = HttpIndex("lab", index.url, {})
        with pytest.raises(OriginError):
            await plain.project_page(DEMO)
        told = HttpIndex("lab", index.url, {}, access=Access(absent=frozenset({status})))
        assert isinstance(await told.project_page(DEMO), PageAbsent)
        index.faults.clear()
        index.add_wheel("demo", "1.0")
        assert isinstance(await told.project_page(DEMO), PageFound)
        for client in (plain, told):
            await client.aclose()


async def test_the_error_names_the_option_and_that_of_a_file_does_not() -> None:
    with FakeIndex() as index:
        index.faults.append(Fault("demo", Status(403), times=None))
        client = HttpIndex("lab", index.url, {}, access=Access(absent=frozenset({405})))
        with pytest.raises(OriginDenied, match=r"absent = \[403\]"):
            await client.project_page(DEMO)
        with pytest.raises(OriginDenied) as failed:
            await client.fetch_metadata(f"{index.url}/demo/demo-1.0-py3-none-any.whl.metadata")
        assert "absent" not in str(failed.value)
        await client.aclose()


def test_the_table_of_an_index_takes_statuses_that_can_mean_it(tmp_path: Path) -> None:
    def parsed(absent: object) -> tuple[int, ...]:
        return IndexesKind().parse([{"name": "lab", "url": "https://index.example/simple", "absent": absent}], tmp_path)[0].absent

    assert parsed([403, 401, 403]) == (401, 403)
    assert parsed(403) == (403,)
    for impossible in ([200], [500], [429], ["403"], [True], "403"):
        with pytest.raises(ValueError, match=r"absent must be a status .*, or a list"):
            parsed(impossible)
    with pytest.raises(ValueError, match="absent"):
        SharesKind().parse([{"name": "lab", "url": "https://index.example/", "absent": [403]}], tmp_path)


@pytest.mark.parametrize("name", ["https://me:hunter2@index.example/simple", "me:hunter2@index.example"])
def test_a_url_under_name_is_not_quoted(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="as url") as refused:
        IndexesKind().parse([{"name": name, "url": "https://index.example/simple"}], tmp_path)
    assert "hunter2" not in str(refused.value)
