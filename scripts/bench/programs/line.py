"""A slow line: a TCP relay in a process of its own, with one bandwidth for all and a delay on every request."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE_BYTES = 32 * 1024
_GRAIN_S = 0.002
"""Shorter waits are not taken: timers of a busy machine are no finer, and the debt is kept anyway."""


@dataclass(frozen=True, slots=True)
class Line:
    """The near end of a line that runs; ``origin`` is what clients connect to."""

    origin: str
    _brought: Any

    @property
    def brought_bytes(self) -> int:
        """Bytes that have come down the line so far, headers and all."""
        return int(self._brought.value)


@contextmanager
def slow_line(port: int, *, bits_per_s: float, delay_s: float, address: str = "127.0.0.1") -> Iterator[Line]:
    """Relay connections to ``port`` of loopback; clients connect to ``address``.

    Answers share ``bits_per_s``.  What a client sends arrives ``delay_s`` later, and the first of a connection twice that (its
    handshake): so a request costs one round trip, and a new connection another.
    """
    context = multiprocessing.get_context("spawn")
    brought = context.Value("q", 0)
    near, far = context.Pipe()
    process = context.Process(target=_run, args=(address, port, bits_per_s, delay_s, brought, far), daemon=True)
    process.start()
    far.close()  # the child has its own: should it die, the `recv` below must end
    try:
        yield Line(f"http://{address}:{near.recv()}", brought)
    finally:
        process.terminate()
        process.join()


def _run(address: str, port: int, bits_per_s: float, delay_s: float, brought: Any, ready: Any) -> None:
    with suppress(KeyboardInterrupt):
        asyncio.run(_Relay(port, bits_per_s, delay_s, brought).serve(address, ready))


class _Relay:
    def __init__(self, port: int, bits_per_s: float, delay_s: float, brought: Any) -> None:
        self._port = port
        self._bytes_per_s = bits_per_s / 8
        self._delay_s = delay_s
        self._brought = brought
        self._free_at = 0.0

    async def serve(self, address: str, ready: Any) -> None:
        server = await asyncio.start_server(self._connection, address, 0, backlog=512)
        ready.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        tasks = [asyncio.create_task(self._up(reader, up_writer)), asyncio.create_task(self._down(up_reader, writer))]
        _, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in (writer, up_writer):
            one.close()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)

        async def deliver() -> None:
            while True:
                at, data = await due.get()
                await asyncio.sleep(max(0.0, at - time.monotonic()))
                if not data:
                    return
                writer.write(data)
                await writer.drain()

        delivering = asyncio.create_task(deliver())
        try:
            delay_s = 2 * self._delay_s
            while True:
                data = await reader.read(_PIECE_BYTES)
                await due.put((time.monotonic() + delay_s, data))
                delay_s = self._delay_s
                if not data:
                    await delivering
                    return
        finally:
            delivering.cancel()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_PIECE_BYTES):
            # First come, first served, piece by piece: connections share the line about equally.
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + len(data) / self._bytes_per_s
            if self._free_at - now > _GRAIN_S:
                await asyncio.sleep(self._free_at - now)
            writer.write(data)
            self._brought.value += len(data)
            await writer.drain()
