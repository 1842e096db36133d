"""What systemd is told, where it started us and waits for it (sd_notify(3), sd_watchdog_enabled(3)): a datagram to a socket."""

from __future__ import annotations

import logging
import os
import socket
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)


def notify(state: str, environ: Mapping[str, str]) -> None:
    """Send ``state``, such as ``READY=1``, where ``NOTIFY_SOCKET`` names a socket; that it cannot be sent is logged."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
    except OSError as error:
        log.warning("cannot tell the service manager %s: %s", state, error)


def watchdog_s(environ: Mapping[str, str]) -> float | None:
    """Return after how much silence the service manager ends this process, or None where it does not watch it.

    Also where it watches our parent: opening a store may go on in a child (`wheelfs.store.engine.process_number`).
    """
    text = environ.get("WATCHDOG_USEC", "")
    if not (text.isascii() and text.isdigit() and int(text)):
        return None
    if environ.get("WATCHDOG_PID", str(os.getpid())) not in (str(os.getpid()), str(os.getppid())):
        return None
    return int(text) / 1e6


async def keep_watchdog(environ: Mapping[str, str]) -> None:
    """Say at half of the interval that the loop turns, until cancelled; returns at once where it is not asked for."""
    interval_s = watchdog_s(environ)
    while interval_s is not None:
        notify("WATCHDOG=1", environ)
        await trio.sleep(interval_s / 2)
