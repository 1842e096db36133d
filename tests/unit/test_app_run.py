"""A run stays of use to its command, however long that takes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from wheelfs.app.run import RENEW_LOOK_S, _keep_valid
from wheelfs.frontends.http.proxy.authority import Authority
from wheelfs.frontends.http.proxy.bundle import Bundle

if TYPE_CHECKING:
    import pytest
    from trio.testing import MockClock


async def test_authorities_that_cannot_be_written_now_are_written_later_and_end_nothing(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    written = trio.Event()
    attempts: list[float] = []

    class Full(Bundle):
        def write(self, authority: bytes) -> None:
            attempts.append(trio.current_time())
            if len(attempts) == 1:
                raise OSError(28, "No space left on device")
            assert authority == made.pem
            written.set()

    made = Authority(["index.example"], lifetime=timedelta(0))  # due whenever it is looked at
    began_s = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_keep_valid, made, Full(Path("/run/of/a/test"), b"roots"))
        await written.wait()
        nursery.cancel_scope.cancel()
    assert [at_s - began_s for at_s in attempts] == [RENEW_LOOK_S, 2 * RENEW_LOOK_S]
    assert "/run/of/a/test/authorities.pem: No space left on device" in caplog.text
