"""An index over real sockets: pages, parts of files, and everything that servers do instead of what was asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import trio
from msgspec.structs import replace

from tests.fakes import faults
from tests.fakes.faults import Fault
from tests.fakes.index import FakeIndex
from tests.fakes.server import Answer
from wheelfs.core.http.ranges import Whole
from wheelfs.errors import (
    OriginDenied,
    OriginFault,
    OriginTimeout,
    OriginUnreachable,
    UsageError,
)
from wheelfs.model.links import Validators
from wheelfs.model.names import ProjectName
from wheelfs.remote.http.client import Client
from wheelfs.remote.index.http import HttpIndex
from wheelfs.remote.limits import HTTP_LIMITS, HttpLimits
from wheelfs.remote.origin import PAGE_ARRIVES, PageAbsent, PageFound, PageUnchanged

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.server import Request

from tests.unit.remote.index.asking import CONTENT, DEMO, WHEEL, brought, client_of, with_secret

QUICK = HttpLimits(first_pause_s=0.01)

# --- pages --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page_format", ["html", "json", "both"])
@pytest.mark.parametrize("gzip", ["no", "accepted"])
async def test_a_page_is_read_whatever_the_index_speaks(page_format: str, gzip: str) -> None:
    with FakeIndex(page_format=page_format, gzip=gzip) as index:  # type: ignore[arg-type]
        index.add(WHEEL, CONTENT, requires_python=">=3.8", metadata=b"x")
        async with client_of(index) as client:
            found = await client.project_page(DEMO)
            assert isinstance(found, PageFound)
            (link,) = found.page.files
            assert (link.filename, link.url, link.requires_python) == (WHEEL, index.file_url(WHEEL), ">=3.8")
            assert link.size_bytes == (None if page_format == "html" else len(CONTENT))
            assert found.max_age_s == 600


async def test_who_asks_for_a_page_hears_of_each_piece_of_it() -> None:
    heard: list[float] = []
    PAGE_ARRIVES.set(lambda: heard.append(trio.current_time()))
    with FakeIndex() as index:
        index.set_page("demo", b"<!DOCTYPE html><html><body><!-- %b --></body></html>" % (b"x" * 600_000))
        async with client_of(index) as client:
            assert isinstance(await client.project_page(DEMO), PageFound)
    assert len(heard) > 1


async def test_relative_links_start_where_the_last_redirect_led() -> None:
    with FakeIndex(redirects=True) as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            found = await client.project_page(DEMO)
            assert isinstance(found, PageFound)
            assert "/moved/" in found.page.files[0].url


async def test_an_unchanged_page_is_not_sent_again() -> None:
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            found = await client.project_page(DEMO)
            assert isinstance(found, PageFound)
            assert await client.project_page(DEMO, validators=found.validators) == PageUnchanged(600)
            index.add("demo-2.0-py3-none-any.whl", CONTENT)
            again = await client.project_page(DEMO, validators=found.validators)
            assert isinstance(again, PageFound)
            assert len(again.page.files) == 2


async def test_no_store_does_not_keep_a_page_from_being_read_only_from_being_fresh() -> None:
    with FakeIndex(no_store=True) as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            found = await client.project_page(DEMO)
            assert isinstance(found, PageFound)
            assert found.max_age_s == 0


async def test_an_unknown_project_is_an_answer() -> None:
    with FakeIndex() as index:
        async with client_of(index) as client:
            assert await client.project_page(ProjectName("nothing")) == PageAbsent()


@pytest.mark.parametrize("code", [401, 403])
async def test_a_refusal_is_never_taken_for_an_absent_project(code: int) -> None:
    with FakeIndex() as index:
        index.faults.append(Fault("/simple/", faults.Status(code)))
        async with client_of(index) as client:
            with pytest.raises(OriginDenied, match="WHEELFS_INDEX_LAB_USERNAME"):
                await client.project_page(DEMO)


async def test_a_page_that_is_none_is_the_origins_fault() -> None:
    with FakeIndex() as index:
        index.faults.append(Fault("/simple/", faults.GarbagePage()))
        async with client_of(index) as client:
            with pytest.raises(OriginFault, match="no simple page"):
                await client.project_page(DEMO)


class Chained(FakeIndex):
    """A file is reached by a chain of proxies."""

    def answer(self, request: Request, action: faults.Action | None) -> Answer:
        path, _, hop = request.path.partition("?hop=")
        if path.endswith(".whl") and int(hop or 0) < 30:
            return Answer(302, headers={"Location": f"{path}?hop={int(hop or 0) + 1}"})
        return super().answer(request, action)


async def test_as_many_redirects_as_pip_follows_lead_to_the_file() -> None:
    with Chained() as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            assert (await brought(client, index.file_url(WHEEL), Whole()))[1] == CONTENT


async def test_a_redirect_loop_ends() -> None:
    with FakeIndex() as index:
        index.faults.append(Fault("/simple/", faults.RedirectLoop()))
        async with client_of(index) as client:
            with pytest.raises(OriginFault, match="redirects more than"):
                await client.project_page(DEMO)
            assert len(index.requests) == HTTP_LIMITS.max_redirects + 1


# --- failures -----------------------------------------------------------------------------------------------------------


async def test_a_busy_index_is_asked_again() -> None:
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT)
        index.faults.append(Fault("/simple/", faults.Status(503, {"Retry-After": "0"})))
        index.faults.append(Fault("/simple/", faults.Reset()))
        async with client_of(index) as client:
            assert isinstance(await client.project_page(DEMO), PageFound)
            assert len(index.requests) == 3


@pytest.mark.parametrize("cut", [faults.Truncate(150), faults.Reset(150)])
async def test_a_page_that_breaks_off_is_asked_for_once_more(cut: faults.Truncate | faults.Reset) -> None:
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            index.faults.append(Fault("/simple/", cut))
            found = await client.project_page(DEMO)
            assert isinstance(found, PageFound)
            assert len(index.requests) == 2
            index.faults.append(Fault("/simple/", cut, times=None))
            with pytest.raises(OriginFault):
                await client.project_page(DEMO)
            assert len(index.requests) == 4
            with pytest.raises(OriginFault):  # there is something to show meanwhile
                await client.project_page(DEMO, validators=Validators(etag='"another"'))
            assert len(index.requests) == 5


async def test_an_index_that_stays_broken_is_given_up() -> None:
    with FakeIndex() as index:
        index.faults.append(Fault("/simple/", faults.Status(500), times=None))
        async with client_of(index) as client:
            with pytest.raises(OriginFault, match="500"):
                await client.project_page(DEMO)
            assert len(index.requests) == 3


async def test_an_index_that_wants_much_patience_is_not_waited_for() -> None:
    with FakeIndex() as index:
        index.faults.append(Fault("/simple/", faults.Status(429, {"Retry-After": "3600"}), times=None))
        async with client_of(index) as client:
            with pytest.raises(OriginFault, match="3600 s"):
                await client.project_page(DEMO)
            assert len(index.requests) == 1


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """Return what to do at each connection that fails, in turn; what is left says how few of them there were."""
    follow, meanwhile = Client._follow, list[Callable[[], None]]()

    async def followed(client: Client, *asked: Any) -> httpx2.Response:
        try:
            return await follow(client, *asked)
        except httpx2.ConnectError:
            meanwhile.pop(0)()
            raise

    monkeypatch.setattr(Client, "_follow", followed)
    return meanwhile


async def test_an_index_that_restarts_is_waited_for(refused: list[Callable[[], None]]) -> None:
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT, metadata=b"x")
        async with client_of(index, limits=QUICK) as client:
            for ask in (
                lambda: client.project_page(DEMO),
                lambda: brought(client, index.file_url(WHEEL), Whole()),
                lambda: client.fetch_metadata(index.file_url(f"{WHEEL}.metadata")),
            ):
                index.stop()
                refused.append(index.start)
                await ask()
                assert not refused


async def test_an_index_that_stays_away_is_given_up_and_a_known_page_waits_for_no_restart(
    refused: list[Callable[[], None]],
) -> None:
    with FakeIndex() as index:
        index.stop()
        for limits, validators, failures in (
            (QUICK, None, QUICK.attempts),
            (QUICK, Validators(), 1),
            (replace(QUICK, reconnects=False), None, 1),
        ):
            refused += [lambda: None] * failures
            async with client_of(index, limits=limits) as client:
                with pytest.raises(OriginUnreachable):
                    await client.project_page(DEMO, validators=validators)
            assert not refused


async def test_an_index_that_is_away_is_unreachable() -> None:
    with FakeIndex() as index:
        index.stop()
        async with client_of(index) as client:
            with pytest.raises(OriginUnreachable):
                await client.project_page(DEMO)


async def test_an_index_that_says_nothing_times_out() -> None:
    with FakeIndex() as index:
        index.hang()
        async with client_of(index, limits=HttpLimits(read_timeout_s=0.2)) as client:
            with pytest.raises(OriginTimeout):
                await client.project_page(DEMO)


async def test_an_index_with_an_unknown_certificate_is_at_fault_and_a_trusted_one_is_read(tmp_path: Path) -> None:
    with FakeIndex(tls=True) as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            with pytest.raises(OriginFault, match="TLS"):
                await client.project_page(DEMO)
        bundle = tmp_path / "ca.pem"
        assert index.ca_pem is not None
        bundle.write_bytes(index.ca_pem)
        async with client_of(index, PIP_CERT=str(bundle)) as client:
            assert isinstance(await client.project_page(DEMO), PageFound)


async def test_a_redirect_that_gives_up_encryption_is_refused(tmp_path: Path) -> None:
    with FakeIndex() as plain, FakeIndex(tls=True) as index:
        plain.add(WHEEL, CONTENT)
        index.faults.append(Fault("/simple/", faults.Status(302, {"Location": f"{plain.url}/demo/"})))
        bundle = tmp_path / "ca.pem"
        assert index.ca_pem is not None
        bundle.write_bytes(index.ca_pem)
        async with client_of(index, SSL_CERT_FILE=str(bundle)) as client:
            with pytest.raises(OriginFault, match="without encryption"):
                await client.project_page(DEMO)
        assert plain.requests == []


def test_a_bundle_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="missing"):
        HttpIndex("lab", "https://index.example/simple", {"SSL_CERT_FILE": str(tmp_path / "missing.pem")})


@pytest.mark.parametrize("url", ["index.example/simple", "ftp://index.example/simple", "https:///simple", "http://[::1/simple"])
def test_an_address_that_is_none_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError):
        HttpIndex("lab", url, {})


async def test_cancelling_leaves_a_usable_client() -> None:
    with FakeIndex() as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index) as client:
            index.hang()
            with trio.move_on_after(0.1) as scope:
                await client.project_page(DEMO)
            assert scope.cancelled_caught
            index.unhang()
            assert isinstance(await client.project_page(DEMO), PageFound)


# --- credentials --------------------------------------------------------------------------------------------------------


async def test_credentials_of_the_url_are_sent_and_shown_nowhere() -> None:
    with FakeIndex(credentials=("user", "s3cr@t")) as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index, with_secret(index)) as client:
            assert isinstance(await client.project_page(DEMO), PageFound)
            assert (await brought(client, index.file_url(WHEEL), Whole()))[1] == CONTENT
            assert client.url == index.url
            assert "cr" not in repr(client)


async def test_credentials_of_the_environment_replace_those_of_the_url() -> None:
    with FakeIndex(credentials=("user", "new")) as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index, with_secret(index), WHEELFS_INDEX_LAB_PASSWORD="new") as client:
            assert isinstance(await client.project_page(DEMO), PageFound)


async def test_netrc_is_asked_last(tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password s3cr@t\n")
    with FakeIndex(credentials=("user", "s3cr@t")) as index:
        index.add(WHEEL, CONTENT)
        async with client_of(index, NETRC=str(netrc)) as client:
            assert isinstance(await client.project_page(DEMO), PageFound)


async def test_credentials_are_not_sent_to_another_host() -> None:
    with FakeIndex() as files, FakeIndex() as index:
        files.add(WHEEL, CONTENT)
        index.faults.append(Fault("/simple/", faults.Status(302, {"Location": f"{files.url}/demo/"})))
        async with client_of(index, with_secret(index)) as client:
            found = await client.project_page(DEMO)
            assert isinstance(found, PageFound)
            await brought(client, found.page.files[0].url, Whole())
        assert "authorization" in index.requests[0].headers
        assert len(files.requests) == 2
        assert all("authorization" not in request.headers for request in files.requests)


async def test_an_error_of_a_refused_password_does_not_hold_it() -> None:
    with FakeIndex(credentials=("user", "other")) as index:
        async with client_of(index, with_secret(index)) as client:
            with pytest.raises(OriginDenied) as refused:
                await client.project_page(DEMO)
            assert "s3cr" not in str(refused.value)
