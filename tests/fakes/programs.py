"""Clients whose purpose is known without a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelfs.service.vfs.clients.client import Client, Process

if TYPE_CHECKING:
    from wheelfs.core.fetch.purpose import Purpose


class Program(Client):
    """A client whose purpose is known."""

    def __init__(self, purpose: Purpose, pid: int = 1) -> None:
        super().__init__(pid)
        self._process = Process(pid, purpose)

    async def process(self) -> Process:
        return self._process
