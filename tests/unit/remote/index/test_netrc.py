"""The user's netrc file, as pip and uv read it: for each host, and as it is now."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from tests.fakes import faults
from tests.fakes.faults import Fault
from tests.fakes.index import FakeIndex
from tests.unit.remote.index.asking import CONTENT, DEMO, WHEEL, brought, client_of
from wheelfs.core.http.ranges import Whole
from wheelfs.errors import OriginDenied
from wheelfs.remote.limits import HttpLimits
from wheelfs.remote.origin import PageFound

if TYPE_CHECKING:
    from pathlib import Path

AT_ONCE = HttpLimits(read_timeout_s=5.0, keyring_renew_s=-1.0)
SECRET = "Basic " + base64.b64encode(b"me:s3cret").decode()


class NetrcFile:
    """Named by `NETRC`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def says(self, text: str) -> None:
        self.path.write_text(text)

    def __str__(self) -> str:
        return str(self.path)


@pytest.fixture
def netrc(tmp_path: Path) -> NetrcFile:
    return NetrcFile(tmp_path / "netrc")


def beside(index: FakeIndex) -> str:
    """Return the index's address on another host than its files and those of other fake indexes: 127.0.0.1."""
    return index.url.replace("127.0.0.1", "localhost")


@pytest.mark.parametrize("before", ["", "machine 127.0.0.1 login me password old\n", "default login other password old\n"])
async def test_it_is_read_again_when_the_index_refuses(netrc: NetrcFile, before: str) -> None:
    netrc.says(before)
    with FakeIndex(credentials=("me", "s3cret")) as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index, limits=AT_ONCE, NETRC=str(netrc)) as client:
            with pytest.raises(OriginDenied):
                await client.project_page(DEMO)
            netrc.says("machine 127.0.0.1 login me password s3cret\n")
            assert isinstance(await client.project_page(DEMO), PageFound)
            asked = len(index.requests)
            await brought(client, index.file_url(WHEEL), Whole())
            assert len(index.requests) == asked + 1, "what was found is sent from then on"


async def test_the_user_of_the_address_gets_no_other_users_password(netrc: NetrcFile) -> None:
    with FakeIndex(credentials=("me", "s3cret")) as index:
        index.add(WHEEL, CONTENT)
        url = index.url.replace("://", "://me@")
        async with client_of(index, url, limits=AT_ONCE, NETRC=str(netrc)) as client:
            netrc.says("machine 127.0.0.1 login other password s3cret\n")
            with pytest.raises(OriginDenied):
                await client.project_page(DEMO)
            netrc.says("machine 127.0.0.1 login me password s3cret\n")
            assert isinstance(await client.project_page(DEMO), PageFound)


async def test_a_file_that_is_half_written_changes_nothing(netrc: NetrcFile, caplog: pytest.LogCaptureFixture) -> None:
    netrc.says("machine 127.0.0.1 login me password s3cret\n")
    with FakeIndex(credentials=("me", "other")) as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index, limits=AT_ONCE, NETRC=str(netrc)) as client:
            netrc.says("machine 127.0.0.1 login me passw")
            with pytest.raises(OriginDenied):
                await client.project_page(DEMO)
            index.credentials = ("me", "s3cret")
            assert isinstance(await client.project_page(DEMO), PageFound)
    assert "cannot be read" in caplog.text
    assert "login" not in caplog.text


@pytest.mark.parametrize("is_redirected", [False, True])
async def test_files_on_another_host_are_fetched_with_its_own_entry(netrc: NetrcFile, is_redirected: bool) -> None:
    entries = "machine localhost login index password its\nmachine 127.0.0.1 login me password old\n"
    netrc.says(entries)
    with FakeIndex(credentials=("me", "s3cret")) as files, FakeIndex(credentials=("index", "its")) as index:
        files.add(WHEEL, CONTENT)
        index.faults.append(Fault(WHEEL, faults.Status(302, {"Location": files.file_url(WHEEL)}), times=None))
        url = beside(index) + f"/{WHEEL}" if is_redirected else files.file_url(WHEEL)
        async with client_of(index, beside(index), limits=AT_ONCE, NETRC=str(netrc)) as client:
            netrc.says(entries.replace("old", "s3cret"))
            assert (await brought(client, url, Whole()))[1] == CONTENT
        assert [request.headers["authorization"] for request in files.requests][1:] == [SECRET]
        assert all(request.headers["authorization"] != SECRET for request in index.requests)


@pytest.mark.parametrize(
    "entries",
    [
        "default login me password s3cret\n",
        "machine localhost login me password s3cret\n",
        "machine 127.0.0.2 login me password x\n",
    ],
)
async def test_another_host_gets_neither_the_default_nor_another_hosts_entry(netrc: NetrcFile, entries: str) -> None:
    netrc.says(entries)
    with FakeIndex() as files, FakeIndex() as index:
        files.add(WHEEL, CONTENT)
        async with client_of(index, beside(index), limits=AT_ONCE, NETRC=str(netrc)) as client:
            await brought(client, files.file_url(WHEEL), Whole())
            files.credentials = ("me", "s3cret")
            with pytest.raises(OriginDenied):
                await brought(client, files.file_url(WHEEL), Whole())
        assert all("authorization" not in request.headers for request in files.requests)


async def test_the_indexs_own_entry_goes_to_no_other_port_of_its_host(netrc: NetrcFile) -> None:
    netrc.says("machine 127.0.0.1 login me password s3cret\n")
    with FakeIndex() as files, FakeIndex(credentials=("me", "s3cret")) as index:
        files.add(WHEEL, CONTENT)
        async with client_of(index, limits=AT_ONCE, NETRC=str(netrc)) as client:
            await client.project_page(DEMO)
            await brought(client, files.file_url(WHEEL), Whole())
        assert all("authorization" not in request.headers for request in files.requests)
