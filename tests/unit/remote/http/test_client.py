"""What becomes of connections when a request ends in the middle."""

from __future__ import annotations

import trio

from tests.fakes.index import FakeIndex
from tests.unit.remote.index.asking import CONTENT, WHEEL
from wheelfs.remote.http.client import Client
from wheelfs.remote.http.credentials import Credentials, origin_of
from wheelfs.remote.http.user_netrc import Netrc
from wheelfs.remote.limits import HttpLimits


async def test_a_request_that_is_cancelled_while_the_keyring_is_asked_leaves_its_connection() -> None:
    passwords = iter(["old", None, "new"])

    async def keyring() -> str:
        password = next(passwords)
        if password is None:
            cancelled.cancel()
            await trio.sleep_forever()
        return password or ""

    with FakeIndex(credentials=("me", "new")) as index:
        index.add(WHEEL, CONTENT)
        url, origin = index.file_url(WHEEL), origin_of(index.url)
        credentials, netrc = Credentials(origin, "me", "", keyring, -1.0), Netrc({}, renew_after_s=0)
        client = Client(origin, credentials, netrc, {}, limits=HttpLimits(max_connections=1))
        with trio.CancelScope() as cancelled:
            async with client.answer("GET", url, {}, attempted="fetch it"):
                pass
        assert cancelled.cancelled_caught
        with trio.fail_after(20):
            async with client.answer("GET", url, {}, attempted="fetch it") as response:
                assert response.status_code == 200
        await client.aclose()
